"""News through devices, case by case: which way they come, when ways change, and what is lost when one breaks."""

from __future__ import annotations

import pytest

from meshmq.core.feed.subscription import Subscription
from meshmq.core.feed.tap import Tap
from meshmq.testing.connections import Subscriber
from meshmq.wire.card import Forwards
from meshmq.wire.news import pack_news
from meshmq.wire.relaying import FROM_DEVICE, TO_DEVICE, Echo, pack_echo, pack_relayed, probe, tag
from tests.core.feed.square import Square
from tests.core.village import numbered

PUBLISHER, SUBSCRIBER, DEVICE, SECOND = range(4)


def forward(square: Square, index: int, *patterns: str) -> None:
    square.do(index, lambda node, now: node.relay.forward(Forwards(topics=patterns), now))


def meet(*patterns: str, nodes: int = 3, wanted: str = "a.*") -> tuple[Square, Subscription]:
    """Return a publisher, a subscriber and devices, when all goes its way."""
    square = Square(nodes)
    square.publish(PUBLISHER, "a.b", b"first")
    for device in range(DEVICE, nodes):
        forward(square, device, *patterns)
    subscription = square.subscribe(SUBSCRIBER, wanted)
    square.run(2)
    return square, subscription


def tap(square: Square) -> Tap:
    return square[SUBSCRIBER].feed.subscriber.taps[square[PUBLISHER].node_id]


def ways(square: Square) -> list[str]:
    """Return by which ways what the publisher spreads comes."""
    brought = [next(place for place in range(4) if square[place].node_id == device) for device in tap(square).detours]
    return [*("direct" for _ in tap(square).tuner.strings), *(f"device {place}" for place in brought)]


def vias(square: Square, subscription: Subscription, count: int = 5) -> set[bytes]:
    """Publish, and return through what it came; nothing is missed."""
    square.publish(PUBLISHER, "a.b", *numbered(count))
    found = set()
    for _ in range(20):
        square.run(0.05)
        while (leaf := square.do(SUBSCRIBER, lambda node, now: node.feed.take(subscription, "me", now, 1))) is not None:
            assert not leaf.gap
            found.add(leaf.span.news.via)
            subscription.finish(leaf)
            count -= 1
    assert count == subscription.lost == 0
    return found


def settled(square: Square, subscription: Subscription) -> None:
    """Take what waits."""
    square.heard(SUBSCRIBER, subscription)


@pytest.mark.parametrize(
    ("pattern", "wanted", "way"),
    [
        ("a.**", "a.*", "device 2"),
        ("**", "a.b", "device 2"),
        ("a.b", "a.b", "device 2"),
        ("a.b", "a.*", "direct"),
        ("a.**", "**", "direct"),
        ("a.**", "a", "direct"),
    ],
)
def test_what_a_device_covers_whole_comes_through_it(pattern: str, wanted: str, way: str) -> None:
    square, _ = meet(pattern, wanted=wanted)
    assert ways(square) == [way]


def test_a_publisher_spreads_a_batch_once_and_knows_only_the_device() -> None:
    square, subscription = meet("a.**")
    settled(square, subscription)
    assert vias(square, subscription) == {square[DEVICE].node_id}
    assert tap(square).connection is None
    assert square[PUBLISHER].feed.publisher.tuned == 2  # what is wanted, and a probe


def test_what_a_device_hears_by_a_beginning_and_does_not_forward_stays_there() -> None:
    square, subscription = meet("a.*.c", wanted="a.*.c")
    square.publish(PUBLISHER, "a.b.d", b"not for it")
    square.publish(PUBLISHER, "a.b.c", b"for it")
    square.run(1)
    assert [one.body for one in square.heard(SUBSCRIBER, subscription)] == [b"for it"]
    counts = square[DEVICE].relay.topics.counts
    assert {pattern: counted["received"] for pattern, counted in counts.items()} == {"a.*.c": 1}


def test_devices_share_publishers_and_all_subscribers_choose_the_same() -> None:
    square = Square(10)
    for device in (8, 9):
        forward(square, device, "**")
    for publisher in range(6):
        square.publish(publisher, "a", b"x")
    for subscriber in (6, 7):
        square.subscribe(subscriber, "a")
    square.run(3)
    chosen = [
        {publisher: tuple(one.detours) for publisher, one in square[subscriber].feed.subscriber.taps.items()}
        for subscriber in (6, 7)
    ]
    assert chosen[0] == chosen[1]
    assert set(chosen[0].values()) == {(square[8].node_id,), (square[9].node_id,)}
    assert all(len(square[device].relay.topics.upstreams) in range(1, 6) for device in (8, 9))


def test_a_device_that_drains_is_left_and_nothing_is_missed() -> None:
    square, subscription = meet("a.**")
    settled(square, subscription)
    square.do(DEVICE, lambda node, now: node.drain(now))
    assert square[DEVICE].relay.owes(square.sim.now)
    vias(square, subscription)
    assert ways(square) == ["direct"]
    assert vias(square, subscription) == {b""}
    assert not square[DEVICE].relay.owes(square.sim.now)


def test_another_device_takes_over_without_a_direct_link_between() -> None:
    square, subscription = meet("a.**", nodes=4)
    settled(square, subscription)
    (chosen,) = ways(square)
    gone, other = (DEVICE, SECOND) if chosen == "device 2" else (SECOND, DEVICE)
    square.do(gone, lambda node, now: node.drain(now))
    vias(square, subscription)
    assert vias(square, subscription) == {square[other].node_id}
    assert tap(square).connection is None


def test_a_device_that_dies_costs_what_was_with_it_and_says_so() -> None:
    square, subscription = meet("a.**")
    square.run(40)  # the publisher is not young any more: it keeps nothing
    settled(square, subscription)
    square.publish(PUBLISHER, "a.b", *numbered(3))
    square.sim.crash(square.sim.nodes[DEVICE])
    square.run(2)
    square.publish(PUBLISHER, "a.b", b"later")
    square.run(2)
    assert [(one.seq, one.gap) for one in square.heard(SUBSCRIBER, subscription)] == [(5, 3)]
    assert ways(square) == ["direct"]


def test_a_device_that_cannot_hear_a_publisher_says_so_and_is_left() -> None:
    square, subscription = meet("a.**")
    settled(square, subscription)
    topics = square[DEVICE].relay.topics
    (upstream,) = topics.upstreams.values()
    connection = upstream.tuner.connection
    assert connection is not None
    upstream.tuner.addresses = ()  # it finds no way there any more
    wire = square.sim.nodes[DEVICE].connections[connection]
    assert isinstance(wire, Subscriber)
    square.sim.storm.end(wire)
    square.run(1)
    assert ways(square) == ["direct", "device 2"]
    assert vias(square, subscription) == {b""}
    upstream.tuner.addresses = square[PUBLISHER].presence.card.topics
    square.do(DEVICE, lambda node, now: node.work(now))
    square.run(2)
    assert vias(square, subscription) == {square[DEVICE].node_id}


def test_an_echo_that_is_lost_is_asked_for_again() -> None:
    square = Square(3)
    square.publish(PUBLISHER, "a.b", b"first")
    forward(square, DEVICE, "a.**")
    topics = square[DEVICE].relay.topics
    tell, topics._tell = topics._tell, lambda subscriber, entries: None  # type: ignore[method-assign]  # as if it were dropped
    subscription = square.subscribe(SUBSCRIBER, "a.*")
    square.run(4)
    topics._tell = tell  # type: ignore[method-assign]  # the real one again
    assert ways(square) == ["direct", "device 2"]
    square.run(6)
    assert ways(square) == ["device 2"]
    settled(square, subscription)
    assert vias(square, subscription) == {square[DEVICE].node_id}


def test_who_wants_very_many_topics_hears_them_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.core.feed.detours.STRINGS_MOST", 3)
    square, _ = meet("**")
    assert ways(square) == ["device 2"]
    more = [square.subscribe(SUBSCRIBER, topic) for topic in ("b", "c", "d")]
    square.run(2)
    assert ways(square) == ["direct"] * 4
    for subscription in more:
        square.unsubscribe(SUBSCRIBER, subscription)
    square.run(2)
    assert ways(square) == ["device 2"]


def test_a_subscription_that_ends_is_withdrawn_at_the_device_and_there_at_the_publisher() -> None:
    square, subscription = meet("a.**")
    square.unsubscribe(SUBSCRIBER, subscription)
    square.run(1)
    topics = square[DEVICE].relay.topics
    assert (topics.wanted, topics.upstreams) == ({}, {})
    assert square[PUBLISHER].feed.publisher.tuned == 0


def test_a_device_sends_on_nothing_but_what_its_publisher_sent_itself() -> None:
    square, subscription = meet("a.**")
    settled(square, subscription)
    device, publisher, other = square[DEVICE], square[PUBLISHER].node_id, b"o" * 16
    (upstream,) = device.relay.topics.upstreams.values()
    connection = upstream.tuner.connection
    assert connection is not None
    news = pack_news("a.b", other, 1, 2, [b"x"], turn=1_000, kept=False, held=0.0)[0]
    for frame in (
        news,
        pack_relayed(other, news, 3, 0.0),
        tag(publisher) + news,
        b"",
        b"a.b\0MQ",
        b"\xff",
        *pack_echo(probe(device.node_id, 10**6, FROM_DEVICE), [Echo(publisher, 10**6, 10**6)]),
        *pack_echo(probe(other, 1, FROM_DEVICE), [Echo(publisher, 10**6, 1)]),
    ):
        square.do(DEVICE, lambda node, now, frame=frame: node.overhear(connection, [frame], now))  # type: ignore[misc]  # mypy cannot infer a default
    square.run(1)
    assert square.heard(SUBSCRIBER, subscription) == []
    assert upstream.path.turn < 1_000
    assert device.counts["foreign news"] == 3


def test_what_a_device_cannot_say_is_not_believed() -> None:
    square, subscription = meet("a.**")
    settled(square, subscription)
    node, publisher, other = square[SUBSCRIBER], square[PUBLISHER].node_id, b"o" * 16
    ((connection, device),) = node.feed.subscriber.detours.by_connection.items()
    assert device == square[DEVICE].node_id
    before = tap(square).detours[device].echoed
    news = pack_news("a.b", other, 1, 2, [b"x"], turn=1_000, kept=False, held=0.0)[0]
    for frame in (
        tag(publisher) + news,  # of another than it says
        tag(other) + news,  # of one that is not here
        news,
        b"",
        *pack_echo(probe(node.node_id, 1, TO_DEVICE), [Echo(publisher, 5, 10**6), Echo(other, 5, 1)]),
        *pack_echo(probe(other, 1, TO_DEVICE), [Echo(publisher, 0, 0)]),
    ):
        square.do(SUBSCRIBER, lambda node, now, frame=frame: node.overhear(connection, [frame], now))  # type: ignore[misc]  # mypy cannot infer a default
    assert square.heard(SUBSCRIBER, subscription) == []
    assert tap(square).detours[device].echoed == before
    assert node.counts["foreign news"] == 2


def test_strangers_that_want_and_probe_endlessly_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.core.relay.topics.SUBSCRIBERS_MOST", 50)
    square, _ = meet("a.**")
    topics = square[DEVICE].relay.topics

    def flood(index: int) -> None:
        stranger = index.to_bytes(16, "big")
        for mark in range(20):
            topics.tuned(probe(stranger, mark, TO_DEVICE), True)
        topics.tuned(tag(stranger) + b"b.", True)  # nothing that it forwards
        topics.tuned(tag(stranger) + b"a.", False)  # never asked for

    for index in range(200):
        flood(index)
    square.run(1)
    assert len(topics.probes) == 50
    assert max(map(len, topics.probes.values())) <= 8
    assert set(topics.upstreams) == {square[PUBLISHER].node_id}


def test_what_was_wanted_before_it_is_a_device_counts_when_it_is_one() -> None:
    square = Square(3)
    topics, wanted = square[DEVICE].relay.topics, tag(square[PUBLISHER].node_id) + b"a."
    square.publish(PUBLISHER, "a.b", b"first")
    square.do(DEVICE, lambda node, now: node.tuned(wanted, True, now))  # of who was at its address before
    forward(square, DEVICE, "a.**")
    subscription = square.subscribe(SUBSCRIBER, "a.*")
    square.run(2)
    square.do(DEVICE, lambda node, now: node.tuned(wanted, False, now))
    assert topics.wanted == {square[PUBLISHER].node_id: {b"a.": 1}}
    settled(square, subscription)
    assert vias(square, subscription) == {square[DEVICE].node_id}


def test_who_becomes_a_device_itself_goes_back_to_the_direct_way_and_misses_nothing() -> None:
    square, subscription = meet("a.**")
    square.run(40)  # nothing is kept any more
    settled(square, subscription)
    forward(square, SUBSCRIBER, "b")
    for _ in range(2_000):
        square.publish(PUBLISHER, "a.b", b"x")
        square.run(0.0005)
        assert not any(one.gap for one in square.heard(SUBSCRIBER, subscription))
    assert ways(square) == ["direct"]
