"""What careless or hostile peers do to topics: bounded memory and time, and only their own session suffers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from meshmq.core.feed import audience, errands, subscriber
from meshmq.core.feed.subscription import Subscription
from meshmq.core.participant import Participant
from meshmq.errors import ConfigError
from meshmq.history import History
from meshmq.wire.card import Card, pack_card
from meshmq.wire.frames import Kind
from meshmq.wire.news import pack_direct, pack_news, pack_notice
from meshmq.wire.subscribing import (
    Fetch,
    Head,
    Wanted,
    marker,
    pack_fetch,
    pack_fetched,
    pack_heads,
    pack_number,
    pack_subscribe,
    unpack_fetch,
    unpack_fetched,
)
from tests.core.stranger import Stranger, byes, participant

LAST = 2**63 - 2


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Hold that something is done in time: far more than it takes, far less than what loops over numbers takes."""
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < seconds


class Publisher(Stranger):
    """A peer that says it publishes; its news come over a topics connection that the node dialled."""

    def __init__(self, node: Participant, connection: int = 1, node_id: bytes = b"S" * 16) -> None:
        super().__init__(node, connection, node_id)
        self.hello()
        card = Card(node_id, "stranger", "m", 1, "up", (), (), (), topics=("sim://s/topics",), publishes=True)
        self.say(Kind.CARD, pack_card(card))

    def answer(self, number: int, *heads: Head) -> None:
        for body in pack_heads(number, heads):
            self.say(Kind.HEADS, body)

    def news(self, number: int, topic: str, first: int, *bodies: bytes, kept: bool = False, epoch: int = 1) -> None:
        frames = pack_news(topic, self.node_id, epoch, first, bodies or (b"\xc0",), kept=kept, held=0.0)
        self.say(Kind.NEWS, pack_direct(number) + frames[0])


def subscribe(node: Participant, *patterns: str, **options: Any) -> Subscription:
    given = {"since": None, "latest": False, "overflow": "drop_oldest", "capacity": 100, "capacity_bytes": 1 << 20}
    return node.feed.subscribe(patterns, now=0.0, **{**given, **options})


def subscribed(*patterns: str, **options: Any) -> tuple[Participant, Subscription, Publisher]:
    """Return a node with a subscription, and a publisher that knows of it and has published nothing."""
    node = participant()
    subscription = subscribe(node, *patterns, **options)
    stranger = Publisher(node)
    stranger.answer(subscription.number)
    stranger.heard.clear()
    return node, subscription, stranger


def published(count: int = 10, *, history: int = 1_000) -> tuple[Participant, Stranger]:
    """Return a node that has published to ``a``, and a stranger with a session."""
    node = participant()
    node.feed.retain("**", History(messages=history), 0.0)
    for _ in range(count):
        node.feed.publish("a", b"\xc0", (), None, 0.0)
    stranger = Stranger(node)
    stranger.hello()
    return node, stranger


def ask(stranger: Stranger, number: int, *patterns: str, **fields: Any) -> None:
    for body in pack_subscribe(Wanted(number, patterns, **fields)):
        stranger.say(Kind.SUBSCRIBE, body)


# -- what a publisher does to its subscribers ----------------------------------------------------------


def test_an_enormous_head_is_counted_and_not_looped_over() -> None:
    _, subscription, stranger = subscribed("a")
    with within(2):
        stranger.answer(0, Head("a", 1, 0, LAST, 0))
        stranger.wait(1)
    assert subscription.lost == LAST
    assert subscription.flows[stranger.node_id]["a"].next == LAST + 1


def test_an_enormous_head_that_is_kept_is_asked_for_within_room() -> None:
    _, subscription, stranger = subscribed("a", capacity=50)
    with within(2):
        stranger.answer(0, Head("a", 1, 0, LAST, 1))
        stranger.wait(1)
    (fetch,) = map(unpack_fetch, stranger.bodies(Kind.FETCH))
    assert (fetch.first, fetch.last, fetch.messages) == (1, LAST, 50)
    with within(2):
        stranger.say(Kind.FETCHED, pack_fetched(subscription.number, "a", 1, LAST))
    assert (subscription.lost, subscription.coming) == (LAST, 0)


def test_numbers_that_leap_are_one_hole() -> None:
    _, subscription, stranger = subscribed("a")
    with within(2):
        for first in (2**40, 2**50, LAST - 1):
            stranger.news(subscription.number, "a", first)
    assert (subscription.waiting, subscription.lost) == (3, LAST - 1 - 3)


def test_epochs_that_change_with_every_message_keep_one_flow() -> None:
    _, subscription, stranger = subscribed("a")
    with within(5):
        for epoch in range(2, 2_000):
            stranger.news(subscription.number, "a", 7, epoch=epoch)
    assert len(subscription.flows[stranger.node_id]) == 1
    assert subscription.waiting <= 100
    assert subscription.lost == 6 * 1_998


def test_endless_topics_are_forgotten_whether_they_miss_something_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.core.feed.sorter.FLOWS_MOST", 100)
    node, subscription, stranger = subscribed("**")
    other = Publisher(node, 3, b"T" * 16)
    other.answer(subscription.number)
    other.news(subscription.number, "calm", 1)
    with within(10):
        for number in range(1_000):
            stranger.news(subscription.number, f"step.{number}", 1)
        for number in range(1_000):
            stranger.news(subscription.number, f"hole.{number}", 5, kept=True)
    tap = node.feed.subscriber.taps[stranger.node_id]
    assert len(subscription.flows[stranger.node_id]) == 100
    assert len(tap.behind) <= 100
    assert subscription.coming == sum(flow.fetching for flow in subscription.flows[stranger.node_id].values())
    assert subscription.forgetful
    # What one publisher invents does not make us forget what another published.
    other.news(subscription.number, "calm", 2)
    assert subscription.flows[other.node_id]["calm"].next == 3


def test_news_before_their_turn_are_held_within_bounds_and_then_asked_for() -> None:
    _, subscription, stranger = subscribed("a", capacity=100_000)
    stranger.news(subscription.number, "a", 1)
    with within(20):
        for first in range(40_000, 20_000, -1):  # the wrong way round: each would be sorted in before all others
            stranger.news(subscription.number, "a", first, kept=True)
            if first % 100 == 0:
                stranger.heard.clear()
    assert subscription.held <= 100_000
    assert len(subscription.flows[stranger.node_id]["a"].held) <= 100


def test_news_of_a_subscription_that_is_not_known_yet_are_held_within_bounds() -> None:
    node = participant()
    subscription = subscribe(node, "**", capacity=100, capacity_bytes=1 << 16)
    stranger = Publisher(node)
    with within(20):
        for number in range(20_000):
            stranger.news(subscription.number, f"t.{number % 50}", 1 + number // 50 * 2, b"x" * 100)
    assert subscription.held <= 10_000
    assert subscription.held_size <= 1 << 16


def test_headers_count_as_what_they_take() -> None:
    _, subscription, stranger = subscribed("a", capacity=100_000, capacity_bytes=1 << 16)
    extras = {0: {"key": "x" * 10_000}}
    for first in range(1, 50):
        frames = pack_news("a", stranger.node_id, 1, first, [b"\xc0"], kept=False, held=0.0, headers=extras)
        stranger.say(Kind.NEWS, pack_direct(subscription.number) + frames[0])
    assert subscription.waiting == 1
    assert subscription.overflowed == 48


def test_heads_that_ask_to_be_confirmed_without_end_are_one_stamp() -> None:
    node, subscription, stranger = subscribed("a", capacity=1)
    stranger.answer(0, Head("a", 1, 0, 10, 1))  # what is asked for never comes
    for stamp in range(1, 2_000):
        for body in pack_heads(0, [], stamp=stamp):
            stranger.say(Kind.HEADS, body)
    assert node.feed.subscriber.taps[stranger.node_id].stamp == 1_999
    assert stranger.bodies(Kind.SEEN) == []
    stranger.say(Kind.FETCHED, pack_fetched(subscription.number, "a", 1, 10))
    assert stranger.bodies(Kind.SEEN) == [pack_number(1_999)]


def test_what_nobody_asked_for_changes_nothing() -> None:
    node, subscription, stranger = subscribed("a")
    for number in (0, 7, LAST):
        stranger.news(number, "a", 1)
        stranger.answer(number, Head("b", 1, 0, 5, 0))
        stranger.say(Kind.FETCHED, pack_fetched(number, "a", 1, LAST))
    stranger.say(Kind.FETCHED, pack_fetched(subscription.number, "a", 1, LAST))
    frames = pack_news("a", b"X" * 16, 1, 1, [b"\xc0"], kept=False, held=0.0)  # of somebody else
    stranger.say(Kind.NEWS, pack_direct(subscription.number) + frames[0])
    stranger.say(Kind.NEWS, pack_direct(subscription.number) + pack_notice("a", b"S" * 16, 1, 1, 9, turn=1))
    assert (subscription.waiting, subscription.missed) == (0, 0)
    assert subscription.flows == {}
    assert not byes(stranger)
    assert node.feed.subscriber.taps[stranger.node_id].behind == {}


def test_bytes_on_a_topics_link_that_are_no_news_are_counted_and_dropped() -> None:
    node = participant()
    subscription = subscribe(node, "a")
    stranger = Publisher(node)
    tap = node.feed.subscriber.taps[stranger.node_id]
    tap.connection = 9  # as if we had dialled it
    node.feed.subscriber.by_connection[9] = tap
    for frames in ([b""], [b"a\0"], [b"a\0MQ\x07"], [b"\xff" * 300], [b"a\0" + bytes(100), b"more"]):
        node.overhear(9, frames, stranger.now)
        stranger.settle()
    assert node.counts["foreign news"] == 5
    assert subscription.flows == {}
    assert not byes(stranger)


def test_frames_that_cannot_be_read_end_the_session_of_who_sent_them() -> None:
    for kind in (Kind.SUBSCRIBE, Kind.UNSUBSCRIBE, Kind.HEADS, Kind.SEEN, Kind.FETCH, Kind.NEWS, Kind.FETCHED):
        node, subscription, stranger = subscribed("a")
        other = Publisher(node, 3, b"T" * 16)
        other.answer(subscription.number)
        stranger.say(kind, b"\xc1 none")
        assert byes(stranger) == ["protocol"], kind
        other.news(subscription.number, "a", 1)
        assert subscription.waiting == 1
        assert not byes(other)


# -- what a subscriber does to a publisher ----------------------------------------------------------------


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


# -- what our own user does -------------------------------------------------------------------------------


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
