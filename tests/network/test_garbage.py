"""Whatever comes at a node's open ports, it lives, stays small, says so once, and jobs go on."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Final

import pytest
import zmq

import meshmq
from tests.memory import resident
from tests.network.children import LIMIT
from tests.scale import scale

SECRET: Final = "a secret of more than twenty characters"
ROUNDS: Final = scale(5, 100)
#: What garbage may cost, whatever its amount.
GROWTH: Final = 60_000_000
MIB: Final = 1024 * 1024
TYPES: Final = (zmq.DEALER, zmq.REQ, zmq.PUSH, zmq.SUB, zmq.XSUB, zmq.PAIR, zmq.PUB, zmq.ROUTER, zmq.REP, zmq.PULL)
GREETING: Final = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


def ready(kind: bytes) -> bytes:
    """Return the command with which a ZMTP 3 peer ends its handshake."""
    body = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    return bytes((4, len(body))) + body


class Flow:
    """Jobs that go from one node to another all the while, one after the other."""

    def __init__(self, node: meshmq.Node, worker: meshmq.Node) -> None:
        self._node, self._jobs = node, worker.pull("jobs")
        self._ended = False
        self.count = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Flow:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended = True
        self._thread.join(LIMIT)

    def _run(self) -> None:
        while not self._ended:
            self._node.push("jobs", self.count, timeout=LIMIT)
            message = self._jobs.receive(LIMIT)
            assert message.data == self.count
            message.ack()
            self.count += 1


@pytest.fixture
def context() -> Iterator[zmq.SyncContext]:
    context: zmq.SyncContext = zmq.Context()
    yield context
    context.destroy(linger=0)


def ports(node: meshmq.Node) -> list[tuple[str, int]]:
    """Return where the node can be reached by strangers: control and direct link."""
    _, participant = node._opened()
    card = participant.presence.card
    found = [address for address in (*card.control, *card.direct) if address.startswith("tcp://")]
    return [("127.0.0.1", int(address.rpartition(":")[2])) for address in found]


def throw(where: tuple[str, int], content: bytes) -> None:
    """Send bytes until they are taken or the other end has had enough."""
    with suppress(OSError), socket.create_connection(where, timeout=LIMIT) as stranger:
        stranger.sendall(content)
        stranger.shutdown(socket.SHUT_WR)
        while stranger.recv(65_536):
            pass


def throw_http(where: tuple[str, int], random: Random, context: zmq.SyncContext) -> None:
    throw(where, b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n" * 100)


def throw_bytes(where: tuple[str, int], random: Random, context: zmq.SyncContext) -> None:
    throw(where, random.randbytes(random.choice((1, 63, 64, 65, 1_000, 1_000_000))))


def throw_half_a_handshake(where: tuple[str, int], random: Random, context: zmq.SyncContext) -> None:
    throw(where, GREETING[: random.randrange(1, len(GREETING))])
    throw(where, GREETING + ready(b"DEALER")[: random.randrange(1, 20)])
    throw(where, GREETING + random.randbytes(1_000))


def throw_a_frame_of_eight_gigabytes(where: tuple[str, int], random: Random, context: zmq.SyncContext) -> None:
    for kind in (b"DEALER", b"SUB", b"XSUB"):
        throw(where, GREETING + ready(kind) + b"\x02" + struct.pack(">Q", 8 << 30) + bytes(1_000_000))


def throw_sockets(where: tuple[str, int], random: Random, context: zmq.SyncContext) -> None:
    for kind in TYPES:
        with context.socket(kind) as stranger:
            stranger.setsockopt(zmq.LINGER, 0)
            stranger.setsockopt(zmq.SNDTIMEO, 20)
            stranger.connect(f"tcp://{where[0]}:{where[1]}")
            if kind in (zmq.SUB, zmq.XSUB):
                with suppress(zmq.ZMQError):
                    stranger.send(b"\x01" + random.randbytes(3_000))
            for size in (0, 10, 100_000):
                with suppress(zmq.ZMQError):
                    stranger.send_multipart([b"", random.randbytes(size)])


KINDS: Final[tuple[Callable[[tuple[str, int], Random, zmq.SyncContext], None], ...]] = (
    throw_http,
    throw_bytes,
    throw_half_a_handshake,
    throw_a_frame_of_eight_gigabytes,
    throw_sockets,
)


@pytest.mark.parametrize("secret", [SECRET, None], ids=["with a secret", "insecure"])
@pytest.mark.timeout(scale(300, 900))
def test_jobs_go_on_under_a_flood_of_garbage(
    context: zmq.SyncContext, mesh_name: str, caplog: pytest.LogCaptureFixture, secret: str | None
) -> None:
    random = Random(6)
    with (
        caplog.at_level(logging.INFO),
        meshmq.Node("target", mesh=mesh_name, secret=secret, insecure=secret is None) as node,
        meshmq.Node("worker", mesh=mesh_name, secret=secret, insecure=secret is None) as worker,
    ):
        with Flow(node, worker) as flow:
            before, done = resident(), flow.count
            for _ in range(ROUNDS):
                for kind in KINDS:
                    for where in ports(node):
                        kind(where, random, context)
            assert resident() - before < GROWTH
            during = flow.count - done
        assert during > 0
        assert flow.count > during
        dropped = node.stats()["dropped"]
        assert not worker.stats()["queues"]["jobs"]["pull"]["repeats"]
    assert sum(dropped.values()) >= ROUNDS
    told = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert 1 <= len(told) <= 10, told
    assert len(told) == len(set(told))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.fixture
def stranger(context: zmq.SyncContext) -> Iterator[zmq.SyncSocket]:
    with context.socket(zmq.XPUB) as stranger:
        stranger.setsockopt(zmq.LINGER, 0)
        stranger.setsockopt(zmq.RCVTIMEO, int(1_000 * LIMIT))
        stranger.setsockopt(zmq.XPUB_VERBOSER, 1)
        yield stranger


@pytest.mark.parametrize("size", [1, 1_000, MIB])
def test_who_is_dialled_and_answers_with_no_card_is_refused(
    stranger: zmq.SyncSocket, mesh_name: str, size: int
) -> None:
    port = stranger.bind_to_random_port("tcp://127.0.0.1")
    with meshmq.Node("caller", mesh=mesh_name, insecure=True, peers=[f"127.0.0.1:{port}"]) as node:
        stranger.recv()
        stranger.send_multipart([b"card", bytes(size)])
        refused = next(event for event in node.events(LIMIT) if event.kind == "refused")
        assert str(port) in refused.address
        assert "does not speak MeshMQ" in refused.reason
        assert node.peers() == []


def test_a_card_of_hostile_size_is_cut_off_before_it_is_here(stranger: zmq.SyncSocket, mesh_name: str) -> None:
    port = stranger.bind_to_random_port("tcp://127.0.0.1")
    with meshmq.Node("caller", mesh=mesh_name, insecure=True, peers=[f"127.0.0.1:{port}"]) as node:
        subscribed = stranger.recv()
        hostile = bytes(200 * MIB)
        before = resident()
        stranger.send_multipart([b"card", hostile])
        while stranger.recv() != b"\0" + subscribed[1:]:  # the end of that connection
            pass
        node.push("jobs", 1)
        node.pull("jobs").receive(LIMIT).ack()
        assert resident() - before < GROWTH
        assert node.peers() == []
