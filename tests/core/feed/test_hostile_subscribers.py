"""What careless or hostile subscribers do to us: bounded memory and time, and only their own session suffers."""

from __future__ import annotations

import pytest

from meshmq.core.feed import audience, errands, subscriber
from meshmq.errors import ConfigError
from meshmq.wire.frames import Kind
from meshmq.wire.subscribing import (
    Fetch,
    Wanted,
    marker,
    pack_fetch,
    pack_number,
    pack_subscribe,
    unpack_fetched,
)
from tests.core.feed.strangers import LAST, ask, published, subscribe, within
from tests.core.stranger import byes, participant


def test_a_fetch_of_everything_that_ever_will_be_looks_at_what_is_kept() -> None:
    _, stranger = published(10)
    ask(stranger, 1, "a")
    with within(2):
        stranger.say(Kind.FETCH, pack_fetch(Fetch(1, "a", 1, 1, LAST, LAST, LAST)))
        stranger.wait(1)
    assert len(stranger.bodies(Kind.NEWS)) == 1
    (done,) = stranger.bodies(Kind.FETCHED)
    assert 10 <= unpack_fetched(done)[3] <= errands.LOOKED_AT


def test_fetches_of_what_is_not_there_are_answered_at_once() -> None:
    _, stranger = published(1)
    ask(stranger, 1, "a")
    for number, topic, epoch in ((1, "b", 1), (2, "a", 1), (1, "a", 9)):
        stranger.say(Kind.FETCH, pack_fetch(Fetch(number, topic, epoch, 1, LAST, 1, 1)))
    assert [unpack_fetched(body)[3] for body in stranger.bodies(Kind.FETCHED)] == [LAST] * 3


def test_a_flood_of_fetches_is_bounded() -> None:
    node, stranger = published(1_000)
    ask(stranger, 1, "a")
    stranger.received = 0
    for first in range(1, 1_000):
        stranger.say(Kind.FETCH, pack_fetch(Fetch(1, "a", 1, first, LAST, LAST, LAST)))
    assert len(node.feed.publisher.errands[stranger.node_id]._fetches) <= 1
    assert not byes(stranger)


def test_more_fetches_at_a_time_than_anybody_has_end_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "FETCHES_MOST", 50)
    node, stranger = published(0)
    for number in range(60):
        node.feed.publish(f"t.{number}", b"x" * 60_000, (), None, 0.0)
    ask(stranger, 1, "**")
    stranger.raw = lambda frames: node.receive(stranger.connection, frames, 0.0)  # type: ignore[method-assign]  # it reads nothing
    for number in range(60):
        stranger.say(Kind.FETCH, pack_fetch(Fetch(1, f"t.{number}", 1, 1, 1, 1, 1)))
        if stranger.node.sessions[stranger.node_id].connection is None:
            break
    assert number >= 50
    assert node.feed.publisher.errands == {}
    assert node.feed.publisher.followers == {}


def test_more_patterns_than_anybody_has_end_the_session_and_leave_nothing() -> None:
    node, stranger = published()
    with within(30):
        for start in range(0, audience.FOLLOWERS_MOST, 1_000):
            patterns = tuple(f"t.{number}" for number in range(start, start + 1_000))
            if byes(stranger):
                break
            stranger.say(Kind.SUBSCRIBE, pack_subscribe(Wanted(1, patterns, more=True))[0])
            body = pack_subscribe(Wanted(2 + start, patterns))[0]
            stranger.say(Kind.SUBSCRIBE, body)
    assert byes(stranger) == ["protocol"]
    assert node.feed.publisher.followers == {}
    assert node.feed.publisher.index.matching("t.1") == []


def test_patterns_of_many_segments_weigh_what_they_take() -> None:
    node, stranger = published()
    deep = ".".join("a" * 90) + ".*"
    sent = 0
    with within(30):
        while not byes(stranger) and sent < 3_000:
            sent += 1
            ask(stranger, sent, f"{sent}.{deep}"[:190] + ".*")
    assert sent < 1_500
    assert node.feed.publisher.index._root.empty


def test_subscriptions_that_are_never_in_tune_are_bounded() -> None:
    node, stranger = published()
    with within(30):
        for number in range(1, audience.UNANSWERED_MOST + 10):
            if byes(stranger):
                break
            ask(stranger, number, "a", mark=LAST)
    assert byes(stranger) == ["protocol"]
    assert node.feed.publisher.followers == {}
    assert node.feed.audience._unanswered == {}


def test_markers_of_strangers_are_remembered_within_bounds() -> None:
    node, stranger = published()
    with within(20):
        for number in range(70_000):
            node.tuned(marker(number.to_bytes(16, "big"), 1), True, 0.0)
        for mark in range(1, 1_000):
            node.tuned(marker(stranger.node_id, mark), True, 0.0)
    assert len(node.feed.audience._marks._by_node) <= 65_537
    for marks in node.feed.audience._marks._by_node.values():
        assert len(marks) <= 8


def test_asking_and_leaving_again_and_again_leaves_nothing() -> None:
    node, stranger = published()
    with within(20):
        for number in range(1, 3_000):
            ask(stranger, 1 + number % 7, "a.*", f"b.{number}")
            stranger.say(Kind.UNSUBSCRIBE, pack_number(1 + number % 7))
            stranger.heard.clear()
    assert node.feed.publisher.followers == {}
    assert node.feed.publisher.index._root.empty
    assert not +node.feed.audience._patterns
    assert not byes(stranger)


def test_our_own_user_is_refused_more_patterns_than_publishers_take() -> None:
    node = participant()
    with within(30):
        subscribe(node, *(f"plant.{number}" for number in range(subscriber.PATTERNS_MOST - 1)))
        with pytest.raises(ConfigError, match="at most 50,000 patterns"):
            subscribe(node, "one.more")
    assert len(node.feed.subscriber.subscriptions) == 1


def test_our_own_user_is_refused_more_text_than_publishers_take() -> None:
    node = participant()
    long = [f"{number}.{'x' * 190}" for number in range(21_000)]
    first = subscribe(node, *long)
    with pytest.raises(ConfigError, match="4,194,304 bytes"):
        subscribe(node, *(f"y.{text[:190]}" for text in long[:2_000]))
    node.feed.unsubscribe(first, 0.0)
    subscribe(node, *(f"y.{text[:190]}" for text in long[:2_000]))
