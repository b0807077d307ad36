"""What is published for the first time after a subscription was ready is not missed, however late it is asked for."""

from __future__ import annotations

import pytest

from meshmq.core.feed.groups import group_queue
from meshmq.core.feed.subscription import Subscription
from meshmq.history import History
from tests.core.feed.square import Square

GROUP = group_queue("billing", ["a"])


def met(known_for: float) -> Square:
    """Return a publisher, who is silent, and a subscriber who have known each other for a while."""
    square = Square(meet=False)
    square.look()
    square.find(0, 1)
    square.find(1, 0)
    while not (square[0].roster and square[1].roster):
        square.run(0.0005)
    square.run(known_for)
    return square


def join(square: Square, index: int = 1) -> Subscription:
    square.open(index, queue=GROUP)
    return square.do(index, lambda node, now: node.feed.join(GROUP, ["a"], now))


def ask_late(square: Square) -> None:
    """Have the publisher stand still from when the subscriber asks until a second later."""
    taps, publisher = square[1].feed.subscriber.taps, square[0].node_id
    while publisher not in taps or not taps[publisher]._asked:
        square.run(0.0005)
    square.sim.stall(square.sim.nodes[0])
    square.run(1)
    square.sim.resume(square.sim.nodes[0])
    square.run(3)


@pytest.mark.parametrize("known_for", [0.0, 0.5, 10.0])
def test_it_is_heard(known_for: float) -> None:
    square = met(known_for)
    subscription = square.subscribe(1, "a")
    assert square.ready(1, subscription)  # for nobody publishes
    square.publish(0, "a", b"first", b"second")
    ask_late(square)
    assert [(one.body, one.gap) for one in square.heard(1, subscription)] == [(b"first", 0), (b"second", 0)]


@pytest.mark.parametrize("known_for", [0.0, 0.5, 10.0])
def test_it_goes_to_the_group(known_for: float) -> None:
    square = met(known_for)
    subscription = join(square)
    assert square.ready(1, subscription)
    square.publish(0, "a", b"first", b"second")
    ask_late(square)
    assert square.work_off(1, GROUP) == [(b"first", 1), (b"second", 1)]


def test_a_group_begins_with_who_was_there_first_whoever_was_heard_first() -> None:
    square = Square(3)
    square.look()
    assert square.ready(1, join(square, 1))
    square.sim.stall(square.sim.nodes[1])
    square.publish(0, "a", b"first")
    square.run(0.5)
    join(square, 2)
    square.run(0.5)
    square.publish(0, "a", b"second")
    assert square.work_off(2, GROUP) == [(b"second", 1)]
    square.sim.resume(square.sim.nodes[1])
    square.run(3)
    assert sorted(square.work_off(1, GROUP) + square.work_off(2, GROUP)) == [(b"first", 1)]


def test_the_latest_is_given() -> None:
    square = met(0.0)
    subscription = square.subscribe(1, "a", latest=True)
    assert square.ready(1, subscription)
    square.publish(0, "a", b"first", b"second")
    ask_late(square)
    assert [(one.body, one.gap) for one in square.heard(1, subscription)] == [(b"second", 1)]


def test_who_subscribes_when_it_was_known_to_publish_is_given_nothing_from_before() -> None:
    square = met(0.0)
    square.do(0, lambda node, now: node.feed.retain("a", History(messages=10), now))
    square.publish(0, "a", b"first")
    square.run(1)
    subscription = square.subscribe(1, "a")
    ask_late(square)
    square.publish(0, "a", b"second")
    square.run(1)
    assert [(one.body, one.gap) for one in square.heard(1, subscription)] == [(b"second", 0)]
