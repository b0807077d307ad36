"""Of too many topics those quiet for longest go; the numbers of durable ones go on, and what is missing is told."""

from __future__ import annotations

import pytest

from meshmq.core.feed import known as module
from meshmq.core.records import Forget, Recovered, StoredMessage
from meshmq.wire.news import DURABLE_EPOCHS
from tests.core.feed.archive import Archive
from tests.core.feed.square import numbers

MOST = 100


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a publisher remember few topics."""
    monkeypatch.setattr(module, "SERIES_MOST", MOST)


def test_ordinary_topics_however_many_cost_a_durable_one_nothing() -> None:
    square = Archive()
    square.tell("d.prices", b"1", b"2", b"3")
    square.crowd("plain", MOST + 5)
    news = square.subscribe(1, "d.prices", since="first")
    square.run(3)
    assert numbers(square.heard(1, news)) == [1, 2, 3]
    assert square.forgets() == []


def test_a_durable_topic_that_is_put_away_goes_on_and_what_is_missing_is_told() -> None:
    square = Archive()
    square.tell("d.prices", b"1", b"2", b"3")
    listening = square.subscribe(1, "d.prices", since="first")
    square.run(3)
    assert numbers(square.heard(1, listening)) == [1, 2, 3]
    square.crowd("d.many", MOST + 5)
    assert Forget("d.prices", 4) in square.forgets()
    late, everything = square.subscribe(1, "d.*"), square.subscribe(1, "d.prices", since=1)
    square.run(3)
    square.tell("d.prices", b"4")
    square.run(3)
    assert [(one.seq, one.gap) for one in square.heard(1, listening)] == [(4, 0)]
    assert [(one.seq, one.gap) for one in square.heard(1, late)] == [(4, 0)]
    assert [(one.seq, one.gap) for one in square.heard(1, everything)] == [(4, 3)]


def test_of_more_topics_than_it_remembers_a_journal_gives_back_the_newest() -> None:
    topics = [f"d.{number:03}" for number in range(MOST + 5)]
    messages = [
        StoredMessage(topic, DURABLE_EPOCHS + 1, 7, b"old", -1_000.0 - number) for number, topic in enumerate(topics)
    ]
    heads = dict.fromkeys(topics, (DURABLE_EPOCHS + 1, 7))
    square = Archive(Recovered(messages=messages, heads=heads))
    news = square.subscribe(1, "d.*", since=7)
    square.run(3)
    heard = square.heard(1, news)
    assert len(heard) == MOST
    assert heard[0].topic == "d.000"
    square.tell(topics[-1], b"new")
    square.run(3)
    assert [(one.topic, one.seq) for one in square.heard(1, news)] == [(topics[-1], 8)]
