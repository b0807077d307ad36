"""A participant alone with peers that say what the test wants, right or wrong, in the order it wants."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.settings import Settings
from meshmq.wire.batches import pack_batch
from meshmq.wire.card import Card, pack_card
from meshmq.wire.frames import HEAD_BYTES, Hello, Kind, pack_head, pack_hello, pack_offer, unpack_bye, unpack_head
from meshmq.wire.row import Row

NODE = b"N" * 16
ORIGIN = b"o" * 16


def participant(settings: Settings | None = None, *, mesh: str = "m") -> Participant:
    """Return a node's decisions, in mesh ``m``, at the moment 0."""
    return Participant(
        node_id=NODE,
        name="node",
        mesh=mesh,
        settings=settings or Settings(),
        random=Random(7),
        control=("memory://node/control",),
        direct=("memory://node/direct",),
        now=0.0,
    )


class Stranger:
    """One connection from outside to a participant, and what was sent on it."""

    def __init__(self, node: Participant, connection: int = 1, node_id: bytes = b"S" * 16) -> None:
        self.node, self.connection, self.node_id = node, connection, node_id
        self.now = 0.0
        self.sent = 0
        self.received = 0
        #: (kind, body, further frames) of everything the node said, oldest first.
        self.heard: list[tuple[Kind, bytes, list[bytes]]] = []
        self.hung_up = False
        #: Of everything else that the node wanted, the last thousand.
        self.others: list[tuple[Any, ...]] = []

    def hello(self, *, session: bytes = b"sessions", epoch: int = 0, resumed: bool = False, mesh: str = "m") -> None:
        """Open or resume a session."""
        hello = Hello(self.node_id, "stranger", mesh, session, epoch, resumed)
        self.raw([pack_head(Kind.HELLO, 0, self.received) + pack_hello(hello)])

    def card(self, *pulls: str, number: int = 1) -> None:
        """Say over the session what we pull."""
        self.say(Kind.CARD, pack_card(Card(self.node_id, "stranger", "m", number, "up", (), (), pulls)))

    def say(self, kind: Kind, body: bytes, *buffers: bytes) -> None:
        """Send a frame as it should be: numbered where its kind is."""
        number = 0
        if kind >= Kind.CARD:
            self.sent += 1
            number = self.sent
        self.raw([pack_head(kind, number, self.received) + body, *buffers])

    def raw(self, frames: Sequence[bytes]) -> None:
        """Send anything; of a connection that was hung up nothing is heard any more."""
        if not self.hung_up:
            self.node.receive(self.connection, frames, self.now)
            self.settle()

    def wait(self, seconds: float) -> None:
        """Let time pass, with everything that falls due."""
        end = self.now + seconds
        while True:
            self.settle()
            deadline = self.node.deadline
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.node.tick(self.now)
        self.now = end

    def settle(self) -> None:
        """Tick what is due now, and read what was sent."""
        for _ in range(100):
            if self.node.deadline is not None and self.node.deadline <= self.now:
                self.node.tick(self.now)
            outputs: list[tuple[Any, ...]] = [*self.node.outputs]
            self.node.outputs.clear()
            for output in outputs:
                if output[:2] == ("send", self.connection):
                    if not self.hung_up:
                        self._hear(output[2])
                elif output[:2] == ("hang_up", self.connection):
                    self.hung_up = True
                else:
                    self.others = [*self.others[-999:], output]
            if not outputs:
                return
        raise AssertionError("the node does not come to rest")

    def _hear(self, frames: Sequence[bytes]) -> None:
        kind, number, _ = unpack_head(frames[0])
        self.received = max(self.received, number)
        self.heard.append((kind, frames[0][HEAD_BYTES:], list(frames[1:])))

    def bodies(self, kind: Kind) -> list[bytes]:
        """Return the bodies of all frames of a kind that were heard."""
        return [body for heard, body, _ in self.heard if heard is kind]

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of all frames heard."""
        return [kind for kind, _, _ in self.heard]


def pulling(prefetch: int = 100, settings: Settings | None = None) -> tuple[Participant, Stranger]:
    """Return a node that asks for jobs, and a pusher that it has granted some."""
    node = participant(settings)
    node.open_queue("jobs", prefetch, 0.0)
    with suppress(WouldBlock):
        node.take("jobs", "me", 0.0)
    stranger = Stranger(node)
    stranger.hello()
    stranger.say(Kind.OFFER, pack_offer("jobs", 1_000))
    return node, stranger


def pushing(count: int, body: bytes = b"\xc0") -> tuple[Participant, Stranger]:
    """Return a node with jobs to push, and a worker whose card it has and that has granted nothing."""
    node = participant()
    stranger = Stranger(node)
    stranger.hello()
    stranger.card("jobs")
    for _ in range(count):
        node.push("jobs", body, (), None, 0.0)
    stranger.settle()
    return node, stranger


def jobs(first: int, count: int, *, queue: str = "jobs", body: bytes = b"\xc0") -> bytes:
    """Return the body of a JOBS."""
    return pack_batch(queue, ORIGIN, first, Row.of([body] * count), attempt=1, backlog=9, held=0.0)[0]


def byes(stranger: Stranger) -> list[str]:
    """Return the reasons of all goodbyes that were said to a stranger."""
    return [unpack_bye(body)[0] for body in stranger.bodies(Kind.BYE)]


def dialled(node: Participant) -> int:
    """Return the first connection that the node asks for."""
    connection = next(output[1] for output in node.outputs if output[0] == "dial")
    assert isinstance(connection, int)
    return connection
