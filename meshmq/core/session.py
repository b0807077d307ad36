"""A session: one ordered stream, without loss or repeats, over connections that lie.

It stands between two incarnations. The first frame each way on a connection is HELLO; every later
one of a numbered kind carries its number and the highest number received. What the peer has not
covered is kept and sent again after the next HELLO; the peer drops what it has.

::

             want               HELLO answered            connection gone
    idle ----------> dialling ----------------> up -----------------------> broken
     ^                                          ^                             | |
     |                                          +--- HELLO with our id -------+ |
     +---- BYE · refused · another incarnation · `grace` without connection ----+

A pair has one session: while both dial, the dial of the smaller id stands. ``epoch`` counts the
sessions a pair has had, so that a HELLO that was overtaken by a newer session is seen to be stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final, Protocol

from meshmq.core.stream import Source, Stream
from meshmq.errors import ProtocolError
from meshmq.wire.frames import Hello, Kind, pack_bye, pack_head

PING_AFTER: Final = 1.0
DROP_AFTER: Final = 3.0
#: A session that heard nothing for so long asks: the other side may have ended it without our knowing.
QUIET_AFTER: Final = 3.0
DIAL_LIMIT: Final = 4.0
CROSSED_PAUSE: Final = 0.3
REDIAL_LIMIT: Final = 5.0
FORGIVEN_AFTER: Final = 60.0


class Host(Protocol):
    """What a session asks of the participant it belongs to."""

    outputs: list[tuple[object, ...]]
    connections: dict[int, Session]

    def dial_direct(self, session: Session, now: float) -> int | None:
        """Dial the session's peer; ``None`` when no address is known."""

    def hello(self, session_id: bytes, epoch: int, resumed: bool) -> bytes:
        """Return the body of our HELLO."""

    def session_up(self, session: Session, now: float) -> None:
        """Learn that a new session stands."""

    def session_ended(self, session: Session, reason: str, now: float) -> None:
        """Learn that the session is over; what was not covered is lost."""


class Session:
    """One session after another with one peer; at most one at a time is ``live``."""

    def __init__(self, me: bytes, peer: bytes, host: Host, random: Random, grace: float) -> None:
        self.me, self.peer = me, peer
        self.epoch = 0
        self.id: bytes | None = None
        self.connection: int | None = None
        self.dialling: int | None = None
        self.name = peer[:4].hex()
        self.addresses: tuple[str, ...] = ()
        self.wanted = False
        self.replayed = 0
        self._host, self._random, self._grace = host, random, grace
        self._proposed = b""
        self._dialled_at = 0.0
        self._dial_at: float | None = None
        self._failures = 0
        self._broken_since = 0.0
        self._strikes = 0
        self._struck_at = 0.0
        self._reset()

    def _reset(self) -> None:
        self._stream = Stream()
        self._pinged_at: float | None = None
        self._ping_allowance = DROP_AFTER
        self._heard_at = 0.0

    def __repr__(self) -> str:
        state = "up" if self.connection is not None else "broken" if self.live else "idle"
        return f"<Session with {self.peer[:4].hex()} {state}, {len(self._stream.kept)} uncovered>"

    @property
    def live(self) -> bool:
        """Whether a session stands, with or without a connection just now."""
        return self.id is not None

    @property
    def settled(self) -> bool:
        """Whether the peer has everything that was put."""
        return self._stream.settled

    @property
    def pending(self) -> bool:
        """Whether something waits to be sent and could be."""
        return self.connection is not None and self._stream.pending

    @property
    def room(self) -> bool:
        """Whether another batch may be sent now."""
        return self.connection is not None and self._stream.room

    @property
    def crowded(self) -> bool:
        """Whether the peer asks for more answers than it takes."""
        return self._stream.crowded

    @property
    def answering(self) -> bool:
        """Whether it stands on a connection that is not in doubt."""
        return self.connection is not None and self._pinged_at is None

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        moments: list[float | None] = []
        if self.connection is not None:
            moments = [self._stream.cover_at]
            if self._pinged_at is not None:
                moments.append(self._pinged_at + self._ping_allowance)
            else:
                moments.append(self._ping_due)
        else:
            if self.live:
                moments.append(self._broken_since + self._grace)
            if self.dialling is not None:
                moments.append(self._dialled_at + DIAL_LIMIT)
            elif self.live or self.wanted:
                moments.append(self._dial_at)
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def _ping_due(self) -> float:
        quiet = self._heard_at + QUIET_AFTER
        uncovered = self._stream.uncovered_since
        return quiet if uncovered is None else min(quiet, uncovered + PING_AFTER)

    # -- sending and receiving -------------------------------------------------------------------

    def put(self, kind: Kind, body: bytes) -> None:
        """Queue a small frame; these go before everything else. Only on a live session."""
        self._stream.put(kind, body)

    def carries(self, name: str | None = None) -> bool:
        """Whether a large message (of this name) is under way: what follows it in order has to wait."""
        return self._stream.carries(name)

    def pump(self, now: float, source: Source, name: str = "") -> None:
        """Send what may be sent: small frames first, then chunks and batches (of ``name``) in turns."""
        while self.connection is not None and (found := self._stream.next(source, name)) is not None:
            kind, frames = found
            self._send(kind, self._stream.keep(kind, frames, now), frames)

    def _send(self, kind: Kind, number: int = 0, frames: Sequence[bytes] = (b"",)) -> None:
        head = self._stream.head(kind, number)
        self._host.outputs.append(("send", self.connection, [head + frames[0], *frames[1:]]))

    def accept(self, connection: int, kind: Kind, number: int, received: int, size: int, now: float) -> bool:
        """Take note of a frame; whether its body is new and for the participant to read."""
        if connection != self.connection:
            return False
        if received > self._stream.sent:
            raise ProtocolError("it covers frames that were never sent")
        self._heard_at = now
        self._cover(received, now, answered=kind is Kind.COVER)
        if kind is Kind.PING:
            self._send(Kind.COVER)
        if number == 0:
            return False
        verdict = self._stream.take(number, size, now)
        if verdict == "hole":
            self._break(now)  # frames between are lost: this connection lied
        return verdict == "new"

    def assemble(self, body: memoryview, limit: int) -> tuple[Kind, list[bytes]] | None:
        """Add a chunk of a large message; returns the message it completes.

        Raises:
            ProtocolError: it does not fit what came before.
        """
        return self._stream.assemble(body, limit)

    def _cover(self, received: int, now: float, *, answered: bool) -> None:
        progress = self._stream.cover(received, now)
        if progress or (answered and not self._stream.kept):
            self._pinged_at = None

    # -- connections -----------------------------------------------------------------------------

    def want(self, now: float) -> None:
        """Ask for a session: dial if there is none and none on its way."""
        self.wanted = True
        if not self.live and self.dialling is None and self._dial_at is None:
            self._dial_at = now
            if self._struck(now):
                self._dial_at += min(REDIAL_LIMIT, 0.05 * 2**self._strikes)

    def _struck(self, now: float) -> bool:
        return self._strikes > 0 and now < self._struck_at + FORGIVEN_AFTER

    def _strike(self, now: float) -> None:
        """Note a session that did not last through no fault of the line: the next dial comes later each time."""
        self._strikes = min(10, self._strikes + 1) if self._struck(now) else 1
        self._struck_at = now

    def give_up(self) -> None:
        """Want no session any more, where none stands."""
        self.wanted, self._dial_at = False, None
        self._abandon_dial()

    def welcome(self, connection: int, hello: Hello, received: int, now: float) -> None:
        """Answer a HELLO that came from outside."""
        mine_stands = self.dialling is not None and self.me < self.peer
        if hello.session == self.id or hello.resumed:
            if hello.session != self.id:
                self._turn_away(connection, "unknown")
            elif mine_stands:
                self._turn_away(connection, "crossed")
            else:
                self._abandon_dial()
                self._attach(connection, received, now, answer=True)
        elif hello.epoch < self.epoch or (mine_stands and not self.live):
            self._turn_away(connection, "crossed")
        else:
            self.end("the peer began a new session", now)
            self._abandon_dial()
            self.id, self.epoch = hello.session, hello.epoch + 1
            self._attach(connection, 0, now, answer=True)
            self._host.session_up(self, now)

    def answered(self, connection: int, hello: Hello, received: int, now: float) -> None:
        """Take the HELLO that answers our dial."""
        if connection != self.dialling or hello.session != self._proposed:
            return
        self.dialling = None
        self._failures = 0
        if hello.node_id != self.peer:
            self._forget(connection)
            self.end("another incarnation answered", now)
            return
        new = not self.live
        if new:
            self.id, self.epoch = hello.session, hello.epoch
        self._attach(connection, received, now)
        if new:
            self._host.session_up(self, now)

    def bye(self, connection: int, reason: str, epoch: int, now: float) -> None:
        """Take a BYE on one of our connections."""
        if connection == self.dialling:
            self.dialling = None
            self._forget(connection)
            if reason == "crossed":
                stale = epoch > self.epoch and not self.live and not self._struck(now)
                self._dial_at = now + (0.0 if stale else CROSSED_PAUSE)
                if stale:
                    self._strike(now)  # once: a peer that is always ahead does not make us run
                self._broken_since = now
                self.epoch = max(self.epoch, epoch)
            else:
                self.end(f"the peer said {reason}", now)
                self._failures += 1
                self._plan_dial(now)
        elif connection == self.connection:
            self._strike(now)
            self.end(f"the peer said {reason}", now)

    def refused(self, connection: int, gone: bool, now: float) -> None:
        """Learn that a dial failed; ``gone`` when nobody listens there any more."""
        if connection != self.dialling:
            return
        self._host.connections.pop(connection, None)
        self.dialling = None
        self._failures += 1
        if gone and self.live:
            self.end("the peer is gone", now, told=False)
        self._plan_dial(now)

    def ended(self, connection: int, now: float) -> None:
        """Learn that a connection is gone."""
        if connection == self.connection:
            self._break(now)
        elif connection == self.dialling:
            self.refused(connection, False, now)

    def suspect(self, now: float) -> None:
        """Doubt that the peer lives: it has to answer within ``grace``."""
        if self.connection is not None and (self._pinged_at is None or self._ping_allowance > self._grace):
            self._ping_allowance = self._grace
            self._pinged_at = now
            self._send(Kind.PING)

    def hurry(self) -> None:
        """Have the peer say at once what it has received."""
        if self.connection is not None and self._stream.kept:
            self._send(Kind.PING)

    def close(self, now: float, reason: str = "left") -> None:
        """Say goodbye and end."""
        if self.connection is not None:
            self._say_bye(self.connection, reason)
            self._host.connections.pop(self.connection, None)
            self.connection = None
        self._abandon_dial()
        self.wanted = False
        self.end(f"we said {reason}", now)

    def expel(self, reason: str, now: float) -> None:
        """End the session through the peer's fault, and its connection."""
        connection = self.connection
        self._strike(now)
        self.close(now, reason)
        if connection is not None:
            self._host.outputs.append(("hang_up", connection))

    def end(self, reason: str, now: float, *, told: bool = True) -> None:
        """End the session, if one is live; what was not covered is given up.

        A peer that was not ``told`` may hold it for live and wait for us, so we dial it once more.
        """
        if not self.live:
            return
        if self.connection is not None:
            self._forget(self.connection)
        self._abandon_dial()
        self.id, self.connection, self._dial_at = None, None, None
        self.wanted = not told
        self._reset()
        self._plan_dial(now)
        self._host.session_ended(self, reason, now)

    # -- time ------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Do what is due: cover, ping, drop, dial, give up."""
        if self.connection is not None:
            if self._stream.cover_at is not None and now >= self._stream.cover_at:
                self._send(Kind.COVER)
            if self._pinged_at is not None:
                if now >= self._pinged_at + self._ping_allowance:
                    self._break(now)
            elif now >= self._ping_due:
                self._pinged_at, self._ping_allowance = now, DROP_AFTER
                self._send(Kind.PING)
        elif self.live and now >= self._broken_since + self._grace:
            self.end(f"no connection for {self._grace:g} s", now, told=False)
        if self.dialling is not None and now >= self._dialled_at + DIAL_LIMIT:
            self._abandon_dial()
            self._failures += 1
            self._plan_dial(now)
        if self.connection is None and self._dial_at is not None and now >= self._dial_at and self.dialling is None:
            self._dial(now)

    def _dial(self, now: float) -> None:
        self._dial_at = None
        if not self.live and not self.wanted:
            return
        connection = self._host.dial_direct(self, now)
        if connection is None:
            self._failures += 1
            self._plan_dial(now)
            return
        self.dialling, self._dialled_at = connection, now
        self._host.connections[connection] = self
        self._proposed = self.id or self._random.randbytes(8)
        body = self._host.hello(self._proposed, self.epoch, self.live)
        self._host.outputs.append(("send", connection, [pack_head(Kind.HELLO, 0, self._stream.received) + body]))

    def _plan_dial(self, now: float) -> None:
        if self.live or self.wanted:
            pause = min(REDIAL_LIMIT, 0.05 * 2 ** min(self._failures, 10))
            self._dial_at = now + pause * (0.7 + 0.6 * self._random.random())

    def _attach(self, connection: int, received: int, now: float, *, answer: bool = False) -> None:
        if self.connection is not None and self.connection != connection:
            self._forget(self.connection)
        self.connection, self._dial_at, self._heard_at = connection, None, now
        self._host.connections[connection] = self
        if answer:
            body = self._host.hello(self.id or b"", self.epoch, True)
            self._host.outputs.append(("send", connection, [pack_head(Kind.HELLO, 0, self._stream.received) + body]))
        self._pinged_at = None
        self._stream.cover(received, now)
        for number, kind, frames, _ in self._stream.kept:
            self.replayed += 1
            self._send(kind, number, frames)
        self._stream.uncovered_since = now if self._stream.kept else None

    def _break(self, now: float) -> None:
        if self.connection is not None:
            self._forget(self.connection)
        self.connection = None
        self._pinged_at = self._stream.cover_at = None
        self._broken_since = self._dial_at = now
        self._failures = 0

    def _abandon_dial(self) -> None:
        if self.dialling is not None:
            self._forget(self.dialling)
            self.dialling = None

    def _forget(self, connection: int) -> None:
        self._host.connections.pop(connection, None)
        self._host.outputs.append(("hang_up", connection))

    def _turn_away(self, connection: int, reason: str) -> None:
        self._say_bye(connection, reason)
        self._host.outputs.append(("hang_up", connection))

    def _say_bye(self, connection: int, reason: str) -> None:
        body = pack_bye(reason, self.epoch)
        self._host.outputs.append(("send", connection, [pack_head(Kind.BYE, 0, self._stream.received) + body]))
