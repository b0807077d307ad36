"""Who has got to a node's sockets and is no node: the node goes on, and does not grow."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
import zmq

from meshmq import Node
from meshmq.links import outside, reader
from meshmq.wire.card import own_string
from meshmq.wire.frames import Hello, Kind, pack_head, pack_hello
from tests.memory import resident
from tests.network.test_garbage import GREETING, ready
from tests.scale import scale

ODD_ADDRESSES = [
    "foo://x",
    "x",
    "tcp://",
    "tcp://a",
    "tcp://:0",
    "tcp://*:5555",
    "tcp://127.0.0.1:99999",
    "tcp://127.0.0.1:-1",
    "tcp://256.256.256.256:5555",
    "tcp://[::1",
    "tcp://[::1]:1;tcp://127.0.0.1:1",
    "tcp://127.0.0.1:1/../..",
    "tcp://" + "a" * 300 + ":1",
    "tcp://" + "a." * 200 + ":1",
    "tcp://ä:1",
    "ipc://",
    "ipc://*",
    "ipc://@abstract",
    "ipc:///" + "x" * 400,
    "ipc:///etc/passwd",
    "ipc:///tmp",
    "ipc://../../x",
    "inproc://x",
    "udp://127.0.0.1:1",
    "pgm://127.0.0.1:1",
    "vmci://1:1",
]


@pytest.fixture
def context() -> Iterator[zmq.SyncContext]:
    context: zmq.SyncContext = zmq.Context()
    yield context
    context.destroy(linger=0)


def bound(runtime_directory: Path, link: str) -> str:
    (path,) = runtime_directory.glob(f"*/*.{link}")
    return f"ipc://{path}"


def works(node: Node) -> None:
    """Assert that a node does its work."""
    node.push("still.here", 1)
    with node.pull("still.here") as receiver:
        message = receiver.receive(timeout=20)
        message.ack()
        assert message.data == 1
    assert node.peers() == []


def test_claims_of_odd_addresses_lead_nowhere(context: zmq.SyncContext, runtime_directory: Path) -> None:
    with Node("node", mesh="m") as node:
        random = Random(1)
        for start in range(0, len(ODD_ADDRESSES), 7):
            with context.socket(zmq.SUB) as subscriber:
                subscriber.connect(bound(runtime_directory, "c"))
                for address in ODD_ADDRESSES[start : start + 7]:
                    subscriber.setsockopt(zmq.SUBSCRIBE, own_string(random.randbytes(16), [address]))
                    subscriber.setsockopt(zmq.SUBSCRIBE, own_string(random.randbytes(16), [address, "ipc:///nobody"]))
                heard = own_string(random.randbytes(16), [])
                subscriber.setsockopt(zmq.SUBSCRIBE, heard)
                while subscriber.poll(20_000) and subscriber.recv_multipart()[0] != heard:
                    pass
        node.settle(timeout=20)
        works(node)


def test_whoever_subscribes_to_too_much_is_cut_off(context: zmq.SyncContext, runtime_directory: Path) -> None:
    with Node("node", mesh="m") as node, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.LINGER, 0)
        subscriber.setsockopt(zmq.RECONNECT_IVL, -1)
        ends = subscriber.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        for number in range(1_000):
            subscriber.setsockopt(zmq.SUBSCRIBE, own_string(number.to_bytes(16, "big"), ["ipc:///nobody"]))
        subscriber.connect(bound(runtime_directory, "c"))
        assert ends.poll(20_000)
        subscriber.disable_monitor()
        ends.close()
        works(node)


def test_a_flood_of_what_is_none_of_ours_is_let_through_to_nobody(
    context: zmq.SyncContext, runtime_directory: Path
) -> None:
    with Node("node", mesh="m") as node:
        random = Random(2)
        before = resident()
        for turn in range(scale(test=100, stress=2_000)):
            dealer = context.socket(zmq.DEALER)
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.connect(bound(runtime_directory, "d"))
            hello = Hello(random.randbytes(16), f"name{turn}", "m" if turn % 2 else "other", bytes(8), 0, False)
            greeting = pack_head(Kind.HELLO, 0, 0) + pack_hello(hello)
            dealer.send(greeting if turn % 4 < 2 else random.randbytes(40))
            for _ in range(50):
                dealer.send_multipart([random.choice((greeting, random.randbytes(99))), b"more"])
            dealer.poll(5 if turn % 4 >= 2 else 5_000)
            dealer.close()
        works(node)
        assert resident() - before < 50_000_000


@pytest.mark.parametrize("link", ["c", "d"])
def test_bytes_that_are_no_zmtp_are_cut_off(runtime_directory: Path, link: str) -> None:
    with Node("node", mesh="m") as node:
        random = Random(3)
        address = bound(runtime_directory, link).removeprefix("ipc://")
        for start in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" + bytes(8) + b"\x7f\x03", b"", b"\x00" * 64):
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.settimeout(20)
                stranger.connect(address)
                try:
                    stranger.sendall(start + random.randbytes(100_000))
                    while stranger.recv(65_536):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
        works(node)


def test_who_asks_for_ever_and_reads_nothing_is_cut_off(runtime_directory: Path) -> None:
    with Node("node", mesh="m") as node, socket.socket(socket.AF_UNIX) as deaf:
        deaf.settimeout(20)
        deaf.connect(bound(runtime_directory, "d").removeprefix("ipc://"))
        deaf.sendall(GREETING + ready(b"DEALER"))
        heard = b""
        while b"READY" not in heard:
            heard += deaf.recv(1_000)
        hello = Hello(bytes(range(16)), "deaf", "m", b"sessions", 0, False)
        deaf.sendall(zmtp(pack_head(Kind.HELLO, 0, 0) + pack_hello(hello)))
        before = resident()
        ping = zmtp(pack_head(Kind.PING, 0, 0))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            deaf.sendall(200_000 * ping)  # the answers to a third of them wait in libzmq, a few more in the kernel
        works(node)
        assert resident() - before < 50_000_000
        assert node.stats()["dropped"]["unread"] == 1


def zmtp(body: bytes) -> bytes:
    """Return a short message of one frame as it is on the wire."""
    return bytes((0, len(body))) + body


def test_nodes_that_are_cut_off_because_they_are_slow_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sends = 0

    def send(socket: zmq.SyncSocket, frames: Sequence[bytes]) -> None:
        nonlocal sends
        sends += 1
        if sends % 20 == 0:
            raise zmq.Again  # what libzmq says where 65,536 messages wait
        reader.send(socket, frames)

    monkeypatch.setattr(outside, "send", send)
    numbers = range(50)
    with Node("one", mesh="m") as one, Node("two", mesh="m") as two:
        for node, queue in ((one, "for.two"), (two, "for.one")):
            node.queue(queue).push_many([number, bytes(50_000)] for number in numbers)
        for node, queue in ((one, "for.one"), (two, "for.two")):
            with node.pull(queue) as receiver:
                for number in numbers:
                    message = receiver.receive(timeout=20)
                    message.ack()
                    assert (message.data[0], message.redelivered) == (number, False)
        for node in (one, two):
            node.flush(timeout=20)
        assert sum(node.stats()["dropped"].get("unread", 0) for node in (one, two)) > 0
