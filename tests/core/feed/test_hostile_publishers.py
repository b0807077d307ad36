"""What careless or hostile publishers do to us: bounded memory and time, and only their own session suffers."""

from __future__ import annotations

import pytest

from meshmq.wire.frames import Kind
from meshmq.wire.news import pack_direct, pack_news, pack_notice
from meshmq.wire.subscribing import (
    Head,
    pack_fetched,
    pack_heads,
    pack_number,
    unpack_fetch,
)
from tests.core.feed.strangers import LAST, Publisher, subscribe, subscribed, within
from tests.core.stranger import byes, participant


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
    tap.tuner.connection = 9  # as if we had dialled it
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
