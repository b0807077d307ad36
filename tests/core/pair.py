"""Two sessions of one pair, shuttled by hand: the test delivers, loses, cuts and lets time pass."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random
from typing import cast

from meshmq.core.line import Line
from meshmq.core.session import Session
from meshmq.wire.frames import HEAD_BYTES, Hello, Kind, pack_hello, unpack_bye, unpack_head, unpack_hello

Frames = Sequence[bytes]


class Side:
    """One end: hosts a session and reads what comes as a participant does."""

    def __init__(self, pair: Pair, name: str, peer: str) -> None:
        self.pair, self.name = pair, name
        self.id = name.encode() * 16
        self.outputs: list[tuple[object, ...]] = []
        self.connections: dict[int, Session] = {}
        self.laden: dict[Line, None] = {}
        self.eased = False
        self.session = Session(self.id, peer.encode() * 16, self, Random(name), grace=1.0)
        self.addresses: tuple[str, ...] = (peer,)
        #: Whether the other's process is seen to be there by other means.
        self.present = False
        #: ``up`` and the reasons of ends, oldest first.
        self.told: list[str] = []
        #: What came over sessions, in order.
        self.read: list[bytes] = []
        self.dials = 0

    def dial_direct(self, session: Session, now: float) -> int | None:
        if not self.addresses:
            return None
        self.dials += 1
        connection = self.pair.number(even=True)
        self.outputs.append(("dial", connection, "direct", self.addresses, ()))
        return connection

    def peer_present(self, node_id: bytes) -> bool:
        return self.present

    def hello(self, session_id: bytes, epoch: int, resumed: bool, dial: int) -> bytes:
        return pack_hello(Hello(self.id, self.name, "m", session_id, epoch, resumed, dial))

    def session_up(self, session: Session, now: float) -> None:
        self.told.append("up")

    def session_ended(self, session: Session, reason: str, now: float) -> None:
        self.told.append(reason)

    def put(self, *bodies: bytes) -> None:
        """Send small frames."""
        for body in bodies:
            self.session.put(Kind.OFFER, body)
        self.session.pump(self.pair.now, lambda: None)

    def receive(self, connection: int, frames: Frames) -> None:
        """Take what came on a connection."""
        kind, number, received = unpack_head(frames[0])
        body, now = frames[0][HEAD_BYTES:], self.pair.now
        if kind is Kind.HELLO and connection % 2 == 0:
            self.session.answered(connection, unpack_hello(body), received, now)
        elif kind is Kind.HELLO:
            self.session.welcome(connection, unpack_hello(body), received, now)
        elif connection not in self.connections:
            return
        elif kind is Kind.BYE:
            self.session.bye(connection, *unpack_bye(body), now)
        elif self.session.accept(connection, kind, number, received, sum(map(len, frames)), now):
            self.read.append(body)


class Pair:
    """Sides ``a`` (the smaller id) and ``b``, and what lies between them."""

    def __init__(self) -> None:
        self.now = 0.0
        self._numbers = 0
        self.a, self.b = Side(self, "a", "b"), Side(self, "b", "a")
        #: (to, number there, frames, or none for the end) on their way, oldest first.
        self.under_way: deque[tuple[Side, int, Frames | None]] = deque()
        #: Both ends of every connection: number at the one, number at the other.
        self.ends: dict[tuple[Side, int], tuple[Side, int]] = {}
        #: Sides whose dials are refused, and whose frames are lost without a word.
        self.refusing: dict[Side, str] = {}
        self.mute: set[Side] = set()

    def number(self, *, even: bool) -> int:
        """Return a fresh number for a connection."""
        self._numbers += 2
        return self._numbers if even else self._numbers + 1

    def other(self, side: Side) -> Side:
        return self.b if side is self.a else self.a

    def collect(self) -> None:
        """Carry out what both sides asked for; what they sent is then under way."""
        for side in (self.a, self.b):
            outputs, side.outputs = side.outputs, []
            for verb, connection, *rest in outputs:
                assert isinstance(connection, int)
                if verb == "dial":
                    self._dial(side, connection)
                elif verb == "hang_up":
                    self._end(side, connection)
                elif (side, connection) in self.ends and side not in self.mute:
                    self.under_way.append((*self.ends[side, connection], cast(Frames, rest[0])))

    def _dial(self, side: Side, connection: int) -> None:
        other = self.other(side)
        if other in self.refusing:
            side.session.refused(connection, self.refusing[other] == "refused", self.now)
            return
        there = self.number(even=False)
        self.ends[side, connection] = (other, there)
        self.ends[other, there] = (side, connection)

    def _end(self, side: Side, connection: int) -> None:
        there = self.ends.pop((side, connection), None)
        if there is not None:
            self.under_way.append((*there, None))  # after what was sent before

    def deliver(self) -> bool:
        """Deliver the oldest message that is under way; whether there was one."""
        self.collect()
        if not self.under_way:
            return False
        other, connection, frames = self.under_way.popleft()
        if frames is None:
            self.ends.pop((other, connection), None)
            other.session.ended(connection, self.now)
        elif (other, connection) in self.ends:
            other.receive(connection, frames)
        self.collect()
        return True

    def settle(self) -> None:
        """Deliver until nothing is under way."""
        for _ in range(10_000):
            if not self.deliver():
                return
        raise AssertionError("they talk without end")

    def cut(self, *told: Side) -> None:
        """End all connections and lose what is under way; only those named learn of it."""
        self.collect()
        self.under_way.clear()
        ends, self.ends = list(self.ends), {}
        for side, connection in ends:
            if side in told and connection in side.connections:
                side.session.ended(connection, self.now)

    def run(self, seconds: float) -> None:
        """Let time pass, stepping each side when it is due."""
        until = self.now + seconds
        self.settle()
        for _ in range(10_000):
            due = [side.session.deadline for side in (self.a, self.b)]
            moment = min((moment for moment in due if moment is not None), default=until + 1)
            if moment > until:
                self.now = until
                return
            self.now = max(self.now, moment)
            for side in (self.a, self.b):
                if side.session.deadline is not None and side.session.deadline <= self.now:
                    side.session.tick(self.now)
            self.settle()
        raise AssertionError("a deadline does not move on")

    def meet(self) -> None:
        """Let a session stand that ``a`` has dialled."""
        self.a.session.want(self.now)
        self.run(0.01)
        assert self.a.told == self.b.told == ["up"]


def hello(side: Side, session: bytes = b"12345678", *, epoch: int = 0, resumed: bool = False) -> Hello:
    return Hello(side.id, side.name, "m", session, epoch, resumed)


def last_bye(side: Side) -> bytes:
    """Return the last thing a side sent, which is a BYE."""
    frames = [output[2] for output in side.outputs if output[0] == "send"][-1]
    assert isinstance(frames, list)
    assert frames[0][3] == Kind.BYE
    return bytes(frames[0])
