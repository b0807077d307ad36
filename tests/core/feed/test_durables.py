"""What is published to a durable topic is on its way to the disk at once, and heard when it is there."""

from __future__ import annotations

from meshmq.core.records import Tell
from tests.core.feed.archive import Archive
from tests.core.feed.square import numbers


def test_it_is_given_to_the_journal_at_once_though_nothing_else_happens() -> None:
    square = Archive()
    square.publish(0, "d.prices", b"1")
    assert [change.message.body for change in square.written if isinstance(change, Tell)] == [b"1"]


def test_so_is_what_was_laid_on_the_tray() -> None:
    square = Archive()
    tray = square[0].feed.intake.tray
    tray.jobs += [("d.prices", b"1"), ("d.prices", b"2")]
    square.do(0, lambda node, now: node.feed.intake.clear(now))
    assert [change.message.seq for change in square.written if isinstance(change, Tell)] == [1, 2]


def test_nobody_hears_it_before() -> None:
    square = Archive()
    news = square.subscribe(1, "d.*")
    square.run(1)
    square.publish(0, "d.prices", b"1")
    square.run(1)
    assert square.heard(1, news) == []
    square.tell("d.prices", b"2")
    square.run(1)
    assert numbers(square.heard(1, news)) == [1, 2]
