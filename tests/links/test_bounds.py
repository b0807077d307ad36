"""Floods, foreign bytes and strangers: bounded, counted, and felt by nobody else."""

from __future__ import annotations

import random
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import zmq

from meshmq.links import options, outside
from meshmq.links.authenticator import authenticator
from meshmq.links.context import context
from meshmq.links.security import Keys, derive
from meshmq.links.sockets import ZmqLinks
from tests.leaks import sockets
from tests.links.cable import Cable
from tests.links.ends import End, opened, port_of, quiet, until
from tests.scale import scale

KEYS = derive("the secret of the socket tests")


def test_a_flood_on_one_connection_starves_nobody(stack: ExitStack) -> None:
    flooder, quiet_one, there = opened(stack), opened(stack), opened(stack)
    flood = flooder.dial(there.links.bound.direct)
    flooder.links.send(flood, [b"MQ flood"])
    out = quiet_one.dial(there.links.bound.direct)
    quiet_one.links.send(out, [b"MQ hello"])
    back = there.dial(flooder.links.bound.direct)
    there.links.send(back, [b"MQ hello"])
    until(lambda: len(there.log.received) == 2 and flooder.log.received, flooder, quiet_one, there)
    answer = flooder.log.received[0][0]
    for _ in range(20_000):
        flooder.links.send(flood, [b"MQ flood"])  # arrives at the bound socket
        flooder.links.send(answer, [b"MQ flood"])  # arrives at a dialled one
    quiet_one.links.send(out, [b"MQ last"])
    quiet_one.dial(there.links.bound.control, "control", [b"card"])
    until(lambda: there.log.claims, quiet_one, there)
    until(lambda: _place(there, b"MQ last") is not None, quiet_one, there)
    assert len(there.log.received) < 20_000


def _place(end: End, body: bytes) -> int | None:
    return next((at for at, (_, frames) in enumerate(end.log.received) if frames == [body]), None)


def test_a_step_ends_after_its_time_however_much_there_is(stack: ExitStack) -> None:
    here, there = opened(stack), opened(stack)
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ hello"])
    until(lambda: there.log.received, here, there)
    for _ in range(5000):
        here.links.send(out, [b"MQ", bytes(1000)])
    most = 0
    stop = time.monotonic() + 10
    while len(there.log.received) < 5001:
        assert time.monotonic() < stop
        before = len(there.log.received)
        here.step()
        there.step()
        most = max(most, len(there.log.received) - before)
    assert most <= 256 + 16


def test_what_waits_for_a_dial_is_bounded(stack: ExitStack) -> None:
    here = opened(stack)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        out = here.dial([f"tcp://127.0.0.1:{silent.getsockname()[1]}"])
        here.step()
        sent = 0
        while here.links.send(out, [b"MQ", bytes(100_000)]):
            sent += 1
            assert sent < 100
    assert sent > 20
    quiet(0.05, here)
    assert here.log.refusals == []


def test_dialling_and_hanging_up_leaves_no_descriptor_behind(stack: ExitStack) -> None:
    here, there = opened(stack), opened(stack)

    def cycle(number: int) -> None:
        direct = here.dial(there.links.bound.direct)
        control = here.dial(there.links.bound.control, "control", [b"card"])
        here.links.send(direct, [b"MQ hello"])
        until(lambda: len(there.log.received) > number and len(there.log.claims) > 2 * number, here, there)
        here.links.hang_up(direct)
        here.links.hang_up(control)
        until(lambda: len(there.log.ends) > number and len(there.log.claims) > 2 * number + 1, here, there)

    for number in range(20):
        cycle(number)
    before = descriptors()
    for number in range(20, scale(120, 2020)):
        cycle(number)
    until(lambda: "0 in, 0 at the door" in repr(there.links), here, there)
    assert abs(descriptors() - before) <= 10


def descriptors() -> int:
    """How many are open, where that can be seen."""
    table = Path("/proc/self/fd")
    return len(list(table.iterdir())) if table.is_dir() else 0


def test_who_is_hung_up_is_cut_and_forgotten(stack: ExitStack) -> None:
    there = opened(stack, guarded=True)
    peer: zmq.SyncSocket = context().socket(zmq.DEALER)
    stack.callback(peer.close, 0)
    peer.setsockopt(zmq.RECONNECT_IVL, -1)
    peer.connect(there.links.bound.direct[0])
    peer.send(b"MQ hello")
    until(lambda: there.log.received, there)
    there.links.send(1, [b"MQ bye"])
    there.links.hang_up(1)
    peer.send(b"MQ still there?")
    until(lambda: "0 in" in repr(there.links), there)
    assert peer.recv(zmq.DONTWAIT) == b"MQ bye"
    assert len(there.log.received) == 1
    assert there.log.ends == []


def test_who_is_hung_up_is_cut_however_much_it_goes_on_sending(stack: ExitStack) -> None:
    there = opened(stack)
    peer: zmq.SyncSocket = context().socket(zmq.DEALER)
    stack.callback(peer.close, 0)
    peer.setsockopt(zmq.RECONNECT_IVL, -1)
    peer.setsockopt(zmq.SNDHWM, 1)
    ended = peer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    stack.callback(peer.disable_monitor)
    stack.callback(ended.close, 0)
    peer.connect(there.links.bound.direct[0])
    peer.send(b"MQ hello")
    until(lambda: there.log.received, there)
    for _ in range(400):  # more than a step reads, and more than the kernel holds
        peer.send(b"MQ" + bytes(100_000))
    there.links.hang_up(1)
    now = time.monotonic()
    there.links.step(there.log, now)
    assert not ended.poll(0)
    there.links.step(there.log, now + 0.2)
    assert ended.poll(10_000)


@pytest.mark.parametrize("guarded", [True, False])
def test_who_reads_nothing_is_cut_off_when_too_much_waits_for_it(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    monkeypatch.setattr(options, "UNREAD", 10)
    there = opened(stack, guarded=guarded)
    with socket.create_connection(("127.0.0.1", port_of(there.links.bound.direct[0]))) as deaf:
        deaf.settimeout(0.01)
        shake_hands(deaf, there)
        deaf.sendall(b"".join(b"\0\x04MQ%02d" % number for number in range(50)))
        until(lambda: there.log.received, there)
        sent = 0
        while not there.log.ends:
            there.links.send(1, [b"MQ" + bytes(100_000)])
            sent += 1
            quiet(0.001, there)
            assert sent < 1_000
        deaf.settimeout(10)
        with suppress(ConnectionResetError):
            while deaf.recv(1 << 20):
                pass
    assert [frames for _, frames in there.log.received] == [[b"MQ%02d" % number] for number in range(50)]
    assert there.log.ends == [1]
    assert not there.links.send(1, [b"MQ"])
    assert isinstance(there.links, ZmqLinks)
    assert there.links.counts == {"unread": 1}
    assert len(there.links._outside) == 0


def shake_hands(stranger: socket.socket, there: End) -> None:
    """Do what ZMTP 3 asks of one who connects."""
    stranger.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    stranger.sendall(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER")
    heard = b""
    stop = time.monotonic() + 10
    while b"READY" not in heard:
        assert time.monotonic() < stop
        quiet(0.001, there)
        with suppress(TimeoutError):
            heard += stranger.recv(1000)


def test_strangers_beyond_the_table_are_cut(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "_MOST_GUESTS", 3)
    here, there = opened(stack), opened(stack)
    for _ in range(5):
        here.links.send(here.dial(there.links.bound.direct), [b"MQ hello"])
    until(lambda: len(here.log.ends) == 2, here, there)
    assert len(there.log.received) == 3
    assert isinstance(there.links, ZmqLinks)
    assert there.links.counts["crowded"] == 2


def test_claims_that_cannot_be_ours_are_counted(stack: ExitStack) -> None:
    there = opened(stack)
    peer: zmq.SyncSocket = context().socket(zmq.XSUB)
    stack.callback(peer.close, 0)
    peer.connect(there.links.bound.control[0])
    peer.send(b"\x02 what is this?")
    peer.send(b"\x01card")
    until(lambda: there.log.claims, there)
    assert there.log.claims == [(b"card", True)]
    assert isinstance(there.links, ZmqLinks)
    assert there.links.counts["claims"] == 1


def test_a_frame_over_the_limit_ends_its_connection(stack: ExitStack) -> None:
    here, there = opened(stack, message_bytes=10_000_000), opened(stack, message_bytes=1000)
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ", bytes(1_000_000)])
    until(lambda: here.log.ends == [out], here, there)
    assert there.log.received == []


@pytest.mark.parametrize(("keys", "guarded"), [(KEYS, True), (None, True), (None, False)])
def test_fuzz_at_the_ports_reaches_nobody_and_harms_nobody(stack: ExitStack, keys: Keys | None, guarded: bool) -> None:
    dice = random.Random(7)
    here, there = opened(stack, keys=keys, guarded=guarded), opened(stack, keys=keys, guarded=guarded)
    greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01" + (b"CURVE" if keys else b"NULL")
    for _ in range(scale(100, 1500)):
        address = dice.choice(there.links.bound.control + there.links.bound.topics + there.links.bound.direct)
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port_of(address))) as stranger:
            start = dice.choice([b"", b"\xff", greeting[:11], greeting.ljust(64, b"\0")])
            stranger.sendall(start + dice.randbytes(dice.randrange(300)))
        there.step()
        authenticator().step()
    out = here.dial(there.links.bound.direct)
    here.links.send(out, [b"MQ hello"])
    until(lambda: any(frames == [b"MQ hello"] for _, frames in there.log.received), here, there)
    assert [frames for _, frames in there.log.received] == [[b"MQ hello"]]
    if guarded:
        assert there.log.claims == there.log.tunings == []
    assert len(there.log.strangers) < 10


def test_nothing_of_the_data_is_seen_on_an_encrypted_connection(stack: ExitStack) -> None:
    here, there = opened(stack, keys=KEYS), opened(stack, keys=KEYS)
    cable = Cable(stack, there.links.bound.direct[0])
    seen = bytearray()
    out = here.dial([cable.address])
    here.links.send(out, [b"MQ a very recognisable value"])
    stop = time.monotonic() + 10
    while not there.log.received:
        assert time.monotonic() < stop
        for one, _ in cable._pairs:
            with suppress(OSError):
                seen += one.recv(1 << 16, socket.MSG_PEEK)
        cable.carry()
        quiet(0.001, here, there)
    assert b"CURVE" in seen
    assert b"recognisable" not in seen


def test_the_tests_see_sockets_that_are_left_behind(stack: ExitStack) -> None:
    before = sockets()
    opened(stack)
    assert sockets() != before
