"""Publishers and subscribers that meet: what arrives, in which order, and what is told as missed."""

from __future__ import annotations

import pytest

from meshmq.history import History
from tests.core.feed.square import Square, numbers
from tests.core.village import numbered


def test_what_is_published_reaches_who_subscribed_before() -> None:
    square = Square()
    subscription = square.subscribe(1, "weather.*")
    square.run(0.1)
    square.publish(0, "weather.kitchen", *numbered(5))
    square.run(1)
    heard = square.heard(1, subscription)
    assert [(one.topic, one.body) for one in heard] == [("weather.kitchen", b"%d" % n) for n in range(5)]
    assert numbers(heard) == [1, 2, 3, 4, 5]
    assert not any(one.gap for one in heard)
    assert (subscription.received, subscription.missed) == (5, 0)


def test_what_is_published_before_somebody_subscribes_is_not_theirs() -> None:
    square = Square()
    square.publish(0, "a", *numbered(5))
    square.run(10)
    subscription = square.subscribe(1, "a")
    square.run(1)
    square.publish(0, "a", b"new")
    square.run(1)
    (heard,) = square.heard(1, subscription)
    assert (heard.seq, heard.body, heard.gap) == (6, b"new", 0)


def test_what_is_published_first_after_a_subscription_was_ready_is_heard() -> None:
    square = Square()
    square.look()
    square.run(10)
    subscription = square.subscribe(1, "a")
    assert square.ready(1, subscription)  # for nobody publishes
    square.publish(0, "a", b"first")  # and only now is asked
    square.run(1)
    (heard,) = square.heard(1, subscription)
    assert (heard.seq, heard.body, heard.gap) == (1, b"first", 0)


def test_a_node_hears_itself() -> None:
    square = Square(1)
    square.publish(0, "a", b"early")
    subscription = square.subscribe(0, "**")
    square.run(0.1)
    square.publish(0, "a.b", *numbered(3))
    square.publish(0, "a", b"late")
    square.run(1)
    assert [(one.topic, one.body) for one in square.heard(0, subscription)] == [
        ("a.b", b"0"), ("a.b", b"1"), ("a.b", b"2"), ("a", b"late"),
    ]  # fmt: skip


def test_history_is_given_from_where_it_is_asked_for() -> None:
    square = Square()
    square.do(0, lambda node, now: node.feed.retain("a", History(messages=4), now))
    square.publish(0, "a", *numbered(10))
    square.run(10)
    first, last, number = (square.subscribe(1, "a", since=since) for since in ("first", "last", 9))
    young = square.subscribe(1, "a", since=1.0)
    square.run(1)
    assert numbers(square.heard(1, first)) == [7, 8, 9, 10]
    assert numbers(square.heard(1, last)) == [10]
    assert numbers(square.heard(1, number)) == [9, 10]
    assert square.heard(1, young) == []
    square.publish(0, "a", b"x")
    square.run(1)
    for subscription in (first, last, number, young):
        (heard,) = square.heard(1, subscription)
        assert (heard.seq, heard.gap) == (11, 0)


def test_a_large_value_is_fetched_and_keeps_its_place() -> None:
    square = Square()
    subscription = square.subscribe(1, "a")
    square.run(0.1)
    square.publish(0, "a", b"small")
    square.publish(0, "a", b"x" * 1_000_000)
    square.publish(0, "a", b"y" * 700_000, b"last")
    square.run(2)
    heard = square.heard(1, subscription)
    assert [(one.seq, len(one.body), one.gap) for one in heard] == [
        (1, 5, 0),
        (2, 1_000_000, 0),
        (3, 700_000, 0),
        (4, 4, 0),
    ]


def test_the_latest_alone_is_given_and_what_it_replaced_is_told() -> None:
    square = Square()
    subscription = square.subscribe(1, "a.*", latest=True)
    square.run(0.1)
    for number in range(50):
        square.publish(0, "a.x", b"%d" % number)
        square.publish(0, "a.y", b"%d" % number)
        square.run(0.01)
    square.run(1)
    heard = square.heard(1, subscription)
    assert [(one.topic, one.body) for one in heard] == [("a.x", b"49"), ("a.y", b"49")]
    assert subscription.received + subscription.missed == 100
    assert sum(one.gap for one in heard) == 98


def test_capacity_drops_the_oldest_or_the_newest() -> None:
    square = Square()
    square.publish(0, "before", b"")
    oldest = square.subscribe(1, "a", capacity=10)
    newest = square.subscribe(1, "a", capacity=10, overflow="drop_newest")
    cut = square.subscribe(1, "a", capacity=10, overflow="disconnect")
    square.run(0.1)
    square.publish(0, "a", *numbered(100))
    square.run(1)
    heard = square.heard(1, oldest)
    assert (numbers(heard), heard[0].gap) == (list(range(91, 101)), 90)
    assert numbers(square.heard(1, newest)) == list(range(1, 11))
    assert numbers(square.heard(1, cut)) == list(range(1, 11))
    assert cut.disconnected
    for subscription in (oldest, newest, cut):
        assert (subscription.received, subscription.missed) == (10, 90)
    square.publish(0, "a", b"more")
    square.run(1)
    assert [(one.seq, one.gap) for one in square.heard(1, newest)] == [(101, 90)]
    assert square.heard(1, cut) == []
    assert cut.missed == 91


def test_everything_said_while_discovery_goes_on_is_heard_by_who_was_there() -> None:
    square = Square(3, meet=False)
    there = [square.subscribe(index, "news") for index in (1, 2)]
    square.run(5)
    square.publish(0, "news", *numbered(100))
    square.run(0.5)
    for index in (1, 2):
        square.find(0, index)
    square.run(1)
    for index, subscription in zip((1, 2), there, strict=True):
        heard = square.heard(index, subscription)
        assert numbers(heard) == list(range(1, 101))
        assert not any(one.gap for one in heard)


def test_what_is_lost_on_the_way_is_told_the_last_included() -> None:
    square = Square()
    square.publish(0, "before", b"")
    square.look()
    subscription = square.subscribe(1, "a")
    square.run(10)  # it is young no more, and keeps nothing
    square.publish(0, "a", *numbered(3))
    square.run(1)
    with square.deaf(0):
        square.publish(0, "a", *numbered(4))
        square.run(0.1)
    assert subscription.missed == 0
    square.run(1)
    assert subscription.missed == 4
    with square.deaf(0):
        square.publish(0, "a", *numbered(2))
        square.publish(0, "new", *numbered(5))
        square.run(0.01)
    square.publish(0, "a", b"last")
    square.run(1)
    heard = square.heard(1, subscription)
    assert [(one.seq, one.gap) for one in heard] == [(1, 0), (2, 0), (3, 0), (10, 6)]
    assert (subscription.received, subscription.missed) == (4, 6)


def test_of_a_new_topic_the_first_lost_are_told() -> None:
    square = Square()
    square.publish(0, "before", b"")
    square.look()
    square.run(1)
    subscription = square.subscribe(1, "**")
    square.run(10)
    with square.deaf(0):
        square.publish(0, "a.new", *numbered(5))
        square.run(0.01)
    square.publish(0, "a.new", b"sixth")
    square.run(1)
    assert [(one.seq, one.gap) for one in square.heard(1, subscription)] == [(6, 5)]
    with square.deaf(0):
        square.publish(0, "another", *numbered(7))
        square.run(1)
    assert subscription.missed == 5 + 7


def test_what_was_lost_is_fetched_where_there_is_history() -> None:
    square = Square()
    square.do(0, lambda node, now: node.feed.retain("**", History(messages=1_000), now))
    square.look()
    subscription = square.subscribe(1, "**", capacity=50)
    square.run(10)
    with square.deaf(0):
        square.publish(0, "a", *numbered(300))
        square.run(1)
    square.publish(0, "a", b"last")
    square.run(1)
    heard = []
    for _ in range(100):
        heard += square.heard(1, subscription, 10)
        square.run(0.05)
    assert numbers(heard) == list(range(1, 302))
    assert not any(one.gap for one in heard)
    assert subscription.missed == 0


def test_what_comes_in_chunks_is_as_old_as_its_first() -> None:
    square = Square(2)
    subscription = square.subscribe(1, "a")
    square.run(5)
    published = square.sim.now
    square.publish(0, "a", b"x" * 10_000_000)
    while not subscription.waiting:
        square.run(0.001)
    came = square.sim.now - published
    leaf = square.do(1, lambda node, now: node.feed.take(subscription, "me", now))
    assert leaf is not None
    assert came > 0.05
    assert leaf.span.news.held == pytest.approx(came, abs=0.025)  # it was asked for first, and one way is not seen
