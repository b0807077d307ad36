"""A participant with live sessions on a bad line: it never raises, and it does not grow."""

from __future__ import annotations

import struct
from contextlib import suppress
from random import Random
from typing import Final

from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.wire.card import Card, own_string, pack_card
from meshmq.wire.frames import HEAD_BYTES, Hello, Kind, pack_grant, pack_head, pack_hello, pack_offer, unpack_hello
from tests.core.stranger import participant
from tests.memory import resident
from tests.scale import scale
from tests.wire.golden_frames import FRAMES
from tests.wire.golden_jobs import ORIGIN
from tests.wire.strategies import mutated

DIRECT: Final = [
    frame.ours for name, frame in FRAMES.items() if name not in ("own_string", "beat", "peers", "ask")
    and not name.startswith("control_")
]  # fmt: skip
CONTROL: Final = [FRAMES["session_card"].ours[HEAD_BYTES:], *(FRAMES[n].ours for n in ("beat", "peers", "ask"))] + [
    FRAMES[name].ours for name in ("control_ping", "control_pong")
]


class BadLine:
    """One node that pushes and pulls, and everybody else behind a line that changes what it carries."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.node: Participant = participant()
        self.now = 0.0
        self.connection = -1
        self.number = 0
        self.sessions = 0
        self.controls: list[int] = []
        self.node.open_queue("jobs", 1_000, 0.0)
        self.node.found(("memory://s/control",), "a test", None, 0.0, given=True)
        self.begin()

    def begin(self) -> None:
        """Open a session as one of five peers; it asks for jobs, and is asked for jobs."""
        self.connection += 2
        self.number = 0
        self.sessions += 1
        peer = bytes([self.random.randrange(5)]) * 16
        hello = Hello(peer, "peer", "m", self.random.randbytes(8), min(2**32 - 1, self.epoch(peer)), False)
        self.node.receive(self.connection, [pack_head(Kind.HELLO, 0, 0) + pack_hello(hello)], self.now)
        card = Card(peer, "peer", "m", self.sessions, "up", ("memory://s/control",), ("memory://s/direct",), ("jobs",))
        for kind, body in (
            (Kind.CARD, pack_card(card)),
            (Kind.OFFER, pack_offer("jobs", 10)),
            (Kind.GRANT, pack_grant("jobs", 100, 10**6)),
        ):
            self.say(kind, body)

    def epoch(self, peer: bytes) -> int:
        session = self.node.sessions.get(peer)
        return session.epoch if session else 0

    def say(self, kind: int, body: bytes) -> None:
        self.number += 1
        self.node.receive(self.connection, [pack_head(Kind(kind), self.number, 0) + body], self.now)

    def direct(self) -> None:
        """One mutated frame of a direct link; mostly one that would be taken."""
        frame = self.random.choice(DIRECT)
        frame = frame.replace(ORIGIN, self.node._origin) if self.random.random() < 0.5 else frame
        body, kind = frame[HEAD_BYTES:], frame[3]
        if self.random.random() < 0.8:
            number = self.number + 1 if kind >= Kind.CARD else 0
            head = struct.pack("!2sBBQQ", b"MQ", 2, kind, number, 0)
            frames = [head + mutated(body, self.random)]
        else:
            frames = [mutated(frame, self.random)]
        if self.random.random() < 0.05:
            frames.append(mutated(b"a buffer", self.random))
        self.node.receive(self.connection, frames, self.now)
        session = self.node.connections.get(self.connection)
        self.number = session._stream.received if session else self.number

    def control(self) -> None:
        """One mutated word of a control link, or a claim."""
        if self.random.random() < 0.2:
            string = mutated(own_string(self.random.randbytes(16), ["memory://x/control"]), self.random)
            self.node.claim(string, self.random.random() < 0.5, self.now)
        elif self.controls:
            topic = self.random.choice((b"card", self.node.presence._own))
            body = mutated(self.random.choice(CONTROL), self.random)
            self.node.hear(self.random.choice(self.controls[-3:]), [topic, body], self.now)

    def user(self) -> None:
        """The user pushes, and takes what is there."""
        with suppress(WouldBlock):
            self.node.push("jobs", b"\xc0", (), None, self.now)
        with suppress(WouldBlock):
            hand = self.node.take("jobs", "me", self.now, limit=5)
            hand.floor = hand.end
            self.node.finish("jobs", hand, self.now)

    def world(self) -> None:
        """Answer dials, some of them, and let time pass."""
        self.now += self.random.choice((0.0, 0.0, 0.001, 0.05, 1.0))
        if self.node.deadline is not None and self.node.deadline <= self.now:
            self.node.tick(self.now)
        outputs, self.node.outputs[:] = [*self.node.outputs], []
        for output in outputs:
            match output:
                case ("dial", int(connection), "control", *_):
                    self.controls = [*self.controls[-20:], connection]
                    if self.random.random() < 0.3:
                        self.node.refused(connection, "refused", "memory://s/control", self.now)
                case ("dial", int(connection), *_):
                    greeting = next(other[2] for other in outputs if other[:2] == ("send", connection))
                    assert isinstance(greeting, list)
                    answer = mutated(pack_hello(unpack_hello(greeting[0][HEAD_BYTES:])), self.random)
                    self.node.receive(connection, [pack_head(Kind.HELLO, 0, 0) + answer], self.now)
                    if self.random.random() < 0.5:
                        self.node.ended(connection, self.now)
        if ("hang_up", self.connection) in outputs or self.connection not in self.node.connections:
            self.node.ended(self.connection, self.now)
            self.begin()
        self.node.woken.clear()
        self.node.words.clear()


def test_no_mutated_frame_raises_and_nothing_grows() -> None:
    line = BadLine(seed=5)
    before = 0
    turns = scale(test=9_000, stress=750_000)  # and a third as many on the control link
    for turn in range(turns):
        line.direct()
        if turn % 3 == 0:
            line.control()
        if turn % 10 == 0:
            line.user()
        line.world()
        if turn == turns // 3:
            before = resident()
    node = line.node
    assert line.sessions > turns // 500  # many ended by what was in a frame, and
    assert node.inboxes["jobs"].done > turns // 500  # many went on: else nothing is tested
    assert node.outboxes["jobs"].acked > turns // 1_000
    assert len(node.sessions) < 100
    assert len(node.connections) < 100
    assert len(node.roster) < 1_000
    assert resident() - before < 64_000_000
