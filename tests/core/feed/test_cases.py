"""Cases that were thought of: nodes that hear themselves, that nobody can dial, that overlap, leave and come back."""

from __future__ import annotations

import time

import pytest

from meshmq.history import History
from tests.core.feed.square import Square, numbers
from tests.core.village import numbered


def keep(square: Square, index: int, pattern: str = "**", messages: int = 10_000) -> None:
    square.do(index, lambda node, now: node.feed.retain(pattern, History(messages=messages), now))


def test_a_node_reads_its_own_history() -> None:
    square = Square(1)
    keep(square, 0, messages=50)
    square.publish(0, "a", *numbered(100))
    square.run(10)
    first = square.subscribe(0, "a", since="first", capacity=7)
    heard = []
    for _ in range(40):
        square.run(0.01)
        heard += square.heard(0, first)
    square.publish(0, "a", b"live")
    square.run(1)
    heard += square.heard(0, first)
    assert numbers(heard) == list(range(51, 102))
    assert first.missed == 0


def test_a_node_hears_its_own_large_values_and_latest() -> None:
    square = Square(1)
    every, latest = square.subscribe(0, "a"), square.subscribe(0, "a", latest=True)
    square.publish(0, "a", b"x" * 300_000, b"small", b"y" * 100_000)
    square.run(1)
    assert [(one.seq, len(one.body)) for one in square.heard(0, every)] == [(1, 300_000), (2, 5), (3, 100_000)]
    (newest,) = square.heard(0, latest)
    assert (newest.seq, latest.received + latest.missed) == (3, 3)


@pytest.mark.parametrize("large", [False, True])
def test_a_publisher_that_nobody_can_dial_is_heard(*, large: bool) -> None:
    square = Square(2, hidden=(0,), meet=False)
    square.find(0, 1)
    subscription = square.subscribe(1, "a.**")
    latest = square.subscribe(1, "a.**", latest=True)
    square.run(5)
    bodies = [b"%d" % number + b"x" * 100_000 * large for number in range(20)]
    for body in bodies:
        square.publish(0, "a.b", body)
        square.run(0.3)
    square.run(3)
    assert [one.body for one in square.heard(1, subscription)] == bodies
    assert subscription.missed == 0
    assert square.heard(1, latest)[-1].body == bodies[-1]


def test_a_publisher_that_nobody_can_dial_leaves_when_all_is_heard() -> None:
    square = Square(2, hidden=(0,), meet=False)
    square.look()
    square.find(0, 1)
    subscription = square.subscribe(1, "a")
    square.run(5)
    square.publish(0, "a", *numbered(50))
    for _ in range(200):
        if not square.do(0, lambda node, now: node.owes(now)):
            break
        square.run(0.02)
    else:
        raise AssertionError("it owes for ever")
    assert numbers(square.heard(1, subscription)) == list(range(1, 51))


def test_subscriptions_that_overlap_each_get_everything_once() -> None:
    square = Square()
    one = square.subscribe(1, "a.*", "a.b", "**", "a.b")
    other = square.subscribe(1, "a.b")
    third = square.subscribe(1, "*.b", since="first")
    square.run(0.1)
    square.publish(0, "a.b", *numbered(10))
    square.publish(0, "a.b", b"x" * 100_000)
    square.run(1)
    for subscription in (one, other, third):
        assert numbers(square.heard(1, subscription)) == list(range(1, 12))
        assert subscription.missed == 0


def test_what_was_lost_is_fetched_by_each_subscription_for_itself() -> None:
    square = Square()
    keep(square, 0)
    square.look()
    quick, slow = square.subscribe(1, "a"), square.subscribe(1, "a.**", "a", capacity=5)
    square.run(10)
    with square.deaf(0):
        square.publish(0, "a", *numbered(40))
        square.run(1)
    square.run(1)
    assert numbers(square.heard(1, quick)) == list(range(1, 41))
    heard = []
    for _ in range(100):
        heard += square.heard(1, slow, 2)
        square.run(0.02)
    assert numbers(heard) == list(range(1, 41))
    assert (quick.missed, slow.missed) == (0, 0)


def test_one_that_is_unsubscribed_while_it_fetches_leaves_nothing() -> None:
    square = Square()
    keep(square, 0)
    square.publish(0, "a", *(b"x" * 10_000 for _ in range(500)))
    square.run(6)
    for _ in range(10):
        subscription = square.subscribe(1, "a", since="first")
        square.run(0.011)
        square.unsubscribe(1, subscription)
        square.run(0.002)
    square.run(2)
    publisher, subscriber = square[0].feed.publisher, square[1].feed.subscriber
    assert publisher.followers == {}
    assert not any(publisher.errands.values())
    assert subscriber.subscriptions == {}
    assert subscriber.sorter.hungry == {}
    again = square.subscribe(1, "a", since="first")
    square.run(2)
    assert numbers(square.heard(1, again)) == list(range(1, 501))


def test_a_publisher_that_went_before_all_was_fetched_is_told_of_as_missed() -> None:
    square = Square()
    keep(square, 0)
    subscription = square.subscribe(1, "a", capacity=10)
    square.run(10)
    with square.deaf(0):
        square.publish(0, "a", *numbered(100))
        square.run(1)
    square.do(0, lambda node, now: node.farewell(now))
    square.run(12)
    heard = numbers(square.heard(1, subscription))
    square.run(1)
    assert heard == list(range(1, len(heard) + 1))
    assert subscription.received + subscription.missed == 100


def test_what_is_published_while_a_session_is_cut_is_fetched_after_it() -> None:
    square = Square()
    keep(square, 0)
    square.look()
    subscription = square.subscribe(1, "**")
    square.run(10)
    square.publish(0, "a", *numbered(10))
    square.run(1)
    storm = square.sim.storm
    storm.part(0, 1, one_way=False)
    square.publish(0, "a", *numbered(10))
    square.publish(0, "new", *numbered(5))
    square.run(20)
    square.publish(0, "a", *numbered(10))
    storm.join(0, 1, one_way=False)
    square.run(20)
    heard = square.heard(1, subscription)
    assert numbers([one for one in heard if one.topic == "a"]) == list(range(1, 31))
    assert numbers([one for one in heard if one.topic == "new"]) == list(range(1, 6))
    assert not any(one.gap for one in heard)
    assert subscription.missed == 0


def test_without_history_what_is_published_while_a_session_is_cut_is_told_as_missed() -> None:
    square = Square()
    square.publish(0, "before", b"")
    square.look()
    subscription = square.subscribe(1, "**")
    square.run(10)
    assert len(square.heard(1, subscription)) == 1
    storm = square.sim.storm
    storm.part(0, 1, one_way=False)
    square.publish(0, "a", *numbered(10))
    square.publish(0, "b", *numbered(5))
    square.run(20)
    storm.join(0, 1, one_way=False)
    square.run(20)
    assert square.heard(1, subscription) == []
    assert subscription.missed == 15
    square.publish(0, "a", b"x")
    square.publish(0, "b", b"x")
    square.run(1)
    assert [(one.topic, one.seq, one.gap) for one in square.heard(1, subscription)] == [("a", 11, 10), ("b", 6, 5)]


def test_one_that_overflows_and_disconnects_fetches_no_more() -> None:
    square = Square()
    keep(square, 0)
    square.publish(0, "a", *numbered(1_000))
    square.run(6)
    subscription = square.subscribe(1, "a", since="first", overflow="disconnect", capacity=10)
    square.run(1)
    assert (subscription.waiting, subscription.disconnected) == (10, False)  # fetching is at its own pace
    square.publish(0, "b", b"")
    heard = []
    for _ in range(300):
        heard += square.heard(1, subscription)
        square.run(0.02)
    assert numbers(heard) == list(range(1, 1_001))
    assert not subscription.disconnected


def test_a_subscriber_that_takes_nothing_holds_nobody_up() -> None:
    square = Square(3)
    stuck = square.subscribe(1, "**", capacity=10)
    quick = square.subscribe(2, "**")
    square.run(1)
    for number in range(30):
        square.publish(0, "a", *numbered(20))
        square.publish(0, "a", b"%d" % number + b"x" * 70_000)
        square.run(0.02)
    square.run(2)
    assert len(square.heard(2, quick)) == 30 * 21
    assert quick.missed == 0
    for _ in range(100):
        square.heard(1, stuck)
        square.run(0.05)
    assert stuck.received + stuck.missed == 30 * 21


def test_a_subscriber_who_was_there_first_gets_all_of_a_new_publisher_whatever_since_says() -> None:
    for since in (None, "first", "last", 1.0):
        square = Square(2, meet=False)
        subscription = square.subscribe(1, "a", since=since)
        square.run(3)
        square.publish(0, "a", *numbered(20))
        square.run(0.5)
        square.find(0, 1)
        square.run(3)
        assert numbers(square.heard(1, subscription)) == list(range(1, 21)), since
        assert subscription.missed == 0


def test_large_values_of_many_topics_are_fetched_within_the_room_in_bytes() -> None:
    square = Square()
    keep(square, 0)
    for _ in range(4):
        for number in range(15):
            square.publish(0, f"t.{number}", b"x" * (1_000 if number % 5 else 200_000))
    square.run(6)
    subscription = square.subscribe(1, "t.*", since="first", capacity_bytes=1 << 20)
    heard = []
    for _ in range(400):
        square.run(0.05)
        assert subscription.size <= 1 << 20
        heard += square.heard(1, subscription, 5)
    assert (len(heard), subscription.missed) == (60, 0)


def test_thousands_of_topics_are_caught_up_with_quickly() -> None:
    square = Square()
    square.sim._invariants.clear()
    keep(square, 0, messages=1)
    square.publish(0, "first", b"")
    for number in range(3_000):
        square.publish(0, f"t.{number}", b"x")
    square.run(6)
    subscription = square.subscribe(1, "t.*", since="first")
    square.run(1.5)
    assert subscription.waiting == 3_000


def test_thousands_of_subscriptions_are_opened_in_time() -> None:
    square = Square()
    square.sim._invariants.clear()
    square.publish(0, "a.1", b"")
    square.run(1)
    began = time.perf_counter()
    several = [square.subscribe(1, f"a.{number}") for number in range(5_000)]
    assert time.perf_counter() - began < 10
    square.run(3)
    square.publish(0, "a.4999", b"x")
    square.run(1)
    assert [subscription.waiting for subscription in several] == [*[0] * 4_999, 1]
    strings = square[1].feed.subscriber.taps[square[0].node_id].tuner.strings
    assert len(strings) == 5_000
    for subscription in several[1:]:
        square.unsubscribe(1, subscription)
    assert list(strings) == [b"a.0\0"]


def test_history_that_is_taken_back_is_forgotten_in_time() -> None:
    square = Square(1)
    keep(square, 0)
    square.publish(0, "a", *numbered(100))
    square.run(10)
    series = square[0].feed.publisher.series["a"]
    assert len(series.kept) == 100
    square.do(0, lambda node, now: node.feed.retain("**", None, now))
    shelf = square[0].feed.publisher.small
    assert shelf.size >= series.kept.size
    shelf.older_than(square.sim.now * 1e9)
    assert len(series.kept) == 0
