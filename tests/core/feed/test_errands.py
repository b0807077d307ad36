"""Errands: what one peer fetches, and the latest: in turns, within what it asked for, and of one age in a batch."""

from __future__ import annotations

import pytest

from meshmq.core.feed import errands as module
from meshmq.core.feed.errands import LOOKED_AT, Errands
from meshmq.core.feed.kept import Item, Row
from meshmq.core.feed.series import Series
from meshmq.errors import ProtocolError
from meshmq.history import History
from meshmq.wire.frames import Kind
from meshmq.wire.news import News, unpack_direct
from meshmq.wire.subscribing import Fetch, unpack_fetched

ME = b"m" * 16


def series(topic: str, *sizes: int, pause: float = 0.0, first: int = 1, history: int = 100_000) -> Series:
    one = Series(topic, 1, History(messages=history), 0.0)
    one.head = first - 1
    for place, size in enumerate(sizes):
        one.head += 1
        one.keep(Row(one.head, [b"x" * size], (), None, place * pause, size), place * pause)
    return one


def the_first(one: Series) -> Item:
    return next(one.kept.items())


def fetch(topic: str, first: int, last: int, *, messages: int = 1_000, size: int = 1 << 30, number: int = 1) -> Fetch:
    return Fetch(number, topic, 1, first, last, messages, size)


def work_off(errands: Errands, now: float = 0.0) -> list[News | tuple[int, str, int, int]]:
    found: list[News | tuple[int, str, int, int]] = []
    while (frame := errands.next(now)) is not None:
        kind, frames = frame
        found.append(unpack_direct(frames)[1] if kind is Kind.NEWS else unpack_fetched(frames[0]))
    assert not errands
    return found


def spans(found: list[News | tuple[int, str, int, int]]) -> list[tuple[int, int] | int]:
    """Return the numbers of news, and of what ends a fetch up to where it was looked."""
    return [(one.first, one.last) if isinstance(one, News) else one[3] for one in found]


def test_what_is_kept_is_sent_and_then_up_to_where() -> None:
    errands = Errands(ME)
    errands.fetch(fetch("a", 3, 8), series("a", *[10] * 20))
    assert spans(work_off(errands)) == [(3, 8), 8]


def test_no_more_messages_are_sent_than_were_asked_for() -> None:
    errands = Errands(ME)
    errands.fetch(fetch("a", 3, 20, messages=4), series("a", *[10] * 20))
    assert spans(work_off(errands)) == [(3, 6), 6]


def test_no_more_bytes_are_sent_than_were_asked_for_but_for_the_first() -> None:
    errands = Errands(ME)
    errands.fetch(fetch("a", 1, 20, size=25), series("a", *[10] * 20))
    assert spans(work_off(errands)) == [(1, 2), 2]
    errands.fetch(fetch("a", 1, 20, size=25), series("a", 5_000, *[10] * 19))
    assert spans(work_off(errands)) == [(1, 1), 1]


def test_what_is_not_kept_is_passed_over() -> None:
    one = series("a", *[10] * 20)
    for row in [row for row in one.kept.rows() if row.first in (1, 2, 3, 7, 8, 20)]:
        one.kept.remove(row)
    errands = Errands(ME)
    errands.fetch(fetch("a", 1, 20), one)
    assert spans(work_off(errands)) == [(4, 6), (9, 19), 20]


def test_of_rows_that_were_published_together_the_part_goes_that_is_fetched() -> None:
    one = series("a", 10)
    one.keep(Row(2, [b"x" * 10] * 5, (), {"first": "of them"}, 0.0, 50), 0.0)
    one.keep(Row(7, [b"x" * 10] * 5, (), None, 1.0, 50), 0.0)
    errands = Errands(ME)
    errands.fetch(fetch("a", 1, 8), one)
    first, second, last = work_off(errands)
    assert spans([first, second, last]) == [(1, 6), (7, 8), 8]
    assert isinstance(first, News)
    assert first.headers == {1: {"first": "of them"}}
    errands.fetch(fetch("a", 4, 100, messages=6), one)
    assert spans(work_off(errands)) == [(4, 6), (7, 9), 9]


def test_of_enormous_numbers_a_bounded_part_is_looked_at() -> None:
    one = series("a", 10)
    one.head = 2**62
    one.keep(Row(one.head, [b"x"], (), None, 0.0, 1), 0.0)
    errands = Errands(ME)
    errands.fetch(fetch("a", 1, 2**62), one)
    assert spans(work_off(errands)) == [(1, 1), LOOKED_AT]
    errands.fetch(fetch("a", 2**61, 2**62), series("a", 10))
    assert spans(work_off(errands)) == [2**61 + LOOKED_AT - 1]


def test_what_is_older_than_all_that_is_kept_is_passed_over_at_once() -> None:
    errands = Errands(ME)
    errands.fetch(fetch("a", 1, 10**9), series("a", *[10] * 5, first=900_000))
    assert spans(work_off(errands))[0] == (900_000, 900_004)


def test_a_batch_has_one_age() -> None:
    errands = Errands(ME)
    errands.fetch(fetch("a", 1, 6), series("a", *[10] * 6, pause=0.004))
    assert spans(work_off(errands, 0.02)) == [(1, 2), (3, 4), (5, 6), 6]
    errands.fetch(fetch("a", 1, 6), series("a", *[10] * 6, pause=0.004))
    (news, _) = work_off(errands, 1_000.0)  # of what is so old the difference is nothing
    assert isinstance(news, News)
    assert news.held == pytest.approx(1_000.0)


def test_large_values_go_alone_and_a_batch_has_a_size() -> None:
    errands = Errands(ME)
    errands.fetch(fetch("a", 1, 6), series("a", 10, 60_000, 10_000, 300_000, 5, 5))
    assert spans(work_off(errands)) == [(1, 2), (3, 3), (4, 4), (5, 6), 6]


def test_fetches_take_turns_and_a_new_one_of_a_topic_replaces_the_old() -> None:
    errands = Errands(ME)
    several = {topic: series(topic, *[40_000] * 3) for topic in "ab"}
    errands.fetch(fetch("a", 1, 1), several["a"])
    for topic, one in several.items():
        errands.fetch(fetch(topic, 1, 3), one)
    found = [(one.topic, one.first) for one in work_off(errands) if isinstance(one, News)]
    assert found == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3)]


def test_the_latest_takes_turns_with_what_is_fetched_and_is_sent_once() -> None:
    errands = Errands(ME)
    one, other = series("a", *[60_000] * 3), series("b", *[10] * 3)
    errands.fetch(fetch("a", 1, 3), one)
    for item in other.kept.items():
        errands.latest(2, other, item)
    found = work_off(errands)
    assert sorted(one.first for one in found if isinstance(one, News) and one.topic == "b") == [3]
    assert [one.topic for one in found if isinstance(one, News)][:2] in (["a", "b"], ["b", "a"])


def test_a_subscription_that_ends_is_sent_nothing_more() -> None:
    errands = Errands(ME)
    one = series("a", 10)
    for number in (1, 2):
        errands.fetch(fetch("a", 1, 1, number=number), one)
        errands.latest(number, one, the_first(one))
    errands.forget(1)
    found = work_off(errands)
    assert len(found) == 3  # the latest, the fetched, and up to where
    assert errands._latest_bytes == 0


def test_the_latest_that_waits_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATEST_BYTES", 1_000)
    errands = Errands(ME)
    for number in range(50):
        one = series(f"t.{number}", 300)
        errands.latest(1, one, the_first(one))
    assert (len(errands._latest), errands.dropped) == (3, 47)
    one = series("large", 5_000)
    errands.latest(1, one, the_first(one))
    assert spans(work_off(errands)) == [(1, 1)]
    assert errands._latest_bytes == 0


def test_too_many_fetches_at_a_time_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCHES_MOST", 3)
    errands = Errands(ME)
    for topic in ("a", "b", "c", "a"):
        errands.fetch(fetch(topic, 1, 1), series(topic, 1))
    with pytest.raises(ProtocolError):
        errands.fetch(fetch("d", 1, 1), series("d", 1))
    assert len(errands._fetches) == 3
