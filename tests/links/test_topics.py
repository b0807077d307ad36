"""The topics link of ZeroMQ: who is slow, who wants too much, who comes back, and what is left at the end."""

from __future__ import annotations

import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
import zmq

from meshmq.links import options, published
from meshmq.links.context import context
from meshmq.links.security import Keys, derive
from meshmq.links.sockets import ZmqLinks
from tests.links.cable import Cable
from tests.links.ends import LIMIT, End, free_ports, opened, quiet, until
from tests.scale import scale

KEYS = derive("the secret of the socket tests")
MARK = b"\xff"


def subscribed(stack: ExitStack, there: End, *strings: bytes) -> End:
    here = opened(stack, keys=KEYS if "CURVE" in repr(there) else None)
    before = there.log.tunings.count((MARK, True))
    here.dial(there.links.bound.topics, "topics", [*strings, MARK])
    until(lambda: there.log.tunings.count((MARK, True)) > before, here, there)
    return here


def numbers(end: End) -> list[int]:
    return [int(frames[1]) for _, frames in end.log.overheard]


def spread(end: End, first: int, last: int, size: int) -> None:
    for number in range(first, last):
        end.links.spread([b"topic", b"%d" % number, bytes(size)])


def test_a_subscriber_that_never_reads_holds_up_neither_the_publisher_nor_the_others(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "_BEHIND", 10)
    there = opened(stack)
    deaf, living = subscribed(stack, there, b"topic"), subscribed(stack, there, b"topic")
    for number in range(600):
        spread(there, number, number + 1, 60_000)
        until(lambda number=number: len(living.log.overheard) > number, living, there)  # type: ignore[misc]  # mypy cannot infer it
    assert numbers(living) == list(range(600))
    until(lambda: len(deaf.log.overheard) > 10, deaf)
    stop = time.monotonic() + LIMIT
    while 600 not in numbers(deaf):
        assert time.monotonic() < stop
        quiet(0.01, deaf, there)
        spread(there, 600, 601, 0)
    got = numbers(deaf)[: numbers(deaf).index(600)]
    assert 10 < len(got) < 500
    assert all(before < after for before, after in pairwise(got))


@pytest.mark.parametrize("how", ["tcp", "ipc", "secret"])
def test_what_was_spread_before_closing_reaches_a_living_subscriber(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, runtime_directory: Path, how: str
) -> None:
    monkeypatch.setattr(options, "_BEHIND", 20_000)
    keys = KEYS if how == "secret" else None
    there, here = (
        opened(stack, keys=keys, ipc=runtime_directory / name if how == "ipc" else None) for name in ("there", "here")
    )
    here.dial(there.links.bound.topics[:1], "topics", [b"topic", MARK])
    until(lambda: (MARK, True) in there.log.tunings, here, there)
    spread(there, 0, 10_000, 1000)
    there.links.close(10.0)
    until(lambda: len(here.log.overheard) == 10_000, here)
    assert numbers(here) == list(range(10_000))


def test_what_fits_before_the_mark_of_high_water_reaches_a_living_subscriber_however_large(stack: ExitStack) -> None:
    there = opened(stack)
    here = subscribed(stack, there, b"topic")
    spread(there, 0, 500, 64 << 10)
    there.links.close(10.0)
    until(lambda: len(here.log.overheard) == 500, here)
    assert numbers(here) == list(range(500))


def test_links_close_at_once_with_a_subscriber_that_never_reads(stack: ExitStack) -> None:
    there = opened(stack)
    deaf = subscribed(stack, there, b"topic")
    spread(there, 0, 3000, 60_000)
    start = time.monotonic()
    deaf.links.close(5.0)
    there.links.close(0)
    assert time.monotonic() - start < 1.0


@pytest.mark.parametrize("keys", [KEYS, None], ids=["secret", "no secret"])
def test_a_cut_topics_connection_comes_back_with_all_its_subscriptions(stack: ExitStack, keys: Keys | None) -> None:
    here, there = opened(stack, keys=keys), opened(stack, keys=keys)
    cable = Cable(stack, there.links.bound.topics[0])
    out = here.dial([cable.address], "topics", [b"z", b"topic", MARK])

    def carried_until(mark: bytes, count: int) -> None:
        stop = time.monotonic() + LIMIT
        while there.log.tunings.count((mark, True)) < count:
            assert time.monotonic() < stop
            cable.carry()
            quiet(0.001, here, there)

    carried_until(MARK, 1)
    cable.cut()
    here.links.tune(out, [b"a", MARK + b"2"], [b"z"])
    carried_until(MARK, 2)
    carried_until(MARK + b"2", 1)
    held = [string for string in {*dict(there.log.tunings)} if balance(there, string)]
    assert sorted(held) == [b"a", b"topic", MARK, MARK + b"2"]
    assert not here.log.ends
    assert not here.log.refusals


def balance(end: End, string: bytes) -> int:
    return end.log.tunings.count((string, True)) - end.log.tunings.count((string, False))


def raw(stack: ExitStack, there: End, kind: int) -> tuple[zmq.SyncSocket, zmq.SyncSocket]:
    """Somebody else's socket, which is not reconnected, and what tells of its end."""
    peer: zmq.SyncSocket = context().socket(kind)
    stack.callback(peer.close, 0)
    peer.setsockopt(zmq.RECONNECT_IVL, -1)
    peer.setsockopt(zmq.SNDHWM, 0)
    ended = peer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    stack.callback(ended.close, 0)
    stack.callback(peer.disable_monitor)
    peer.connect(there.links.bound.topics[0])
    return peer, ended


@pytest.mark.parametrize(("most", "most_bytes"), [(50, 1 << 20), (100_000, 50 * 8)])
def test_who_subscribes_to_too_much_is_cut_off_and_nobody_else_is(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, most: int, most_bytes: int
) -> None:
    monkeypatch.setattr(published, "MOST_SUBSCRIPTIONS", most)
    monkeypatch.setattr(published, "MOST_SUBSCRIBED_BYTES", most_bytes)
    there = opened(stack)
    others = [subscribed(stack, there, *(b"%08d" % number for number in range(49))) for _ in range(2)]
    peer, ended = raw(stack, there, zmq.SUB)
    for number in range(200):
        peer.setsockopt(zmq.SUBSCRIBE, b"%08d" % number)
    until(lambda: ended.poll(0), there, *others)
    assert isinstance(there.links, ZmqLinks)
    assert there.links.counts["subscriptions"] == 1
    until(lambda: balance(there, b"%08d" % 199) == 0 and balance(there, b"%08d" % 0) == 2, there, *others)
    there.links.spread([b"%08d" % 0])
    until(lambda: all(other.log.overheard for other in others), there, *others)


def test_withdrawing_what_was_never_subscribed_buys_no_room(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "MOST_SUBSCRIPTIONS", 50)
    there = opened(stack)
    peer, ended = raw(stack, there, zmq.XSUB)
    for number in range(60):
        peer.send(b"\x01%d" % number)
        peer.send(b"\x01%d" % number)
        peer.send(b"\x00never %d" % number)
    until(lambda: ended.poll(0), there)
    assert isinstance(there.links, ZmqLinks)
    assert there.links.counts["subscriptions"] == 1


def test_subscribing_and_withdrawing_again_and_again_is_no_offence(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "MOST_SUBSCRIPTIONS", 50)
    there = opened(stack)
    here = opened(stack)
    out = here.dial(there.links.bound.topics, "topics", [b"0"])
    for number in range(1, 400):
        here.links.tune(out, [b"%d" % number], [b"%d" % (number - 1)])
        if number == 1 or number % 50 == 0:
            until(lambda number=number: balance(there, b"%d" % number), here, there)  # type: ignore[misc]  # mypy cannot infer it
    until(lambda: balance(there, b"399") and not balance(there, b"398"), here, there)
    assert isinstance(there.links, ZmqLinks)
    assert there.links.counts == {}


def test_every_subscription_is_heard_again_by_each_who_comes_back_at_the_address(stack: ExitStack) -> None:
    strings = [b"sensors.%05d.temperature." % number for number in range(scale(2_000, 20_000))]
    port = free_ports(stack)
    here, there = opened(stack), opened(stack, port=port)
    here.dial(there.links.bound.topics, "topics", [*strings, MARK])
    until(lambda: (MARK, True) in there.log.tunings[-1:], here, there)
    for _ in range(scale(2, 10)):
        there.links.close(0)
        there = opened(stack, port=port)
        until(lambda there=there: there.log.tunings, here, there)  # type: ignore[misc]  # mypy cannot infer it
        start = time.monotonic()
        until(lambda there=there: (MARK, True) in there.log.tunings[-1:], here, there)  # type: ignore[misc]  # mypy cannot infer it
        assert time.monotonic() - start < 1.0
        assert there.log.tunings == [(string, True) for string in (*strings, MARK)]
        assert isinstance(there.links, ZmqLinks)
        assert there.links.counts == {}
