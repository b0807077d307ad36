"""A line: one ordered stream in each direction, kept up over whatever connection there is just now."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Protocol

from meshmq.core.pulse import Pulse
from meshmq.core.stream import Lane, Source, Stream
from meshmq.core.throughput import WINDOW
from meshmq.errors import ProtocolError
from meshmq.wire.frames import Kind, pack_bye, pack_head

if TYPE_CHECKING:
    from meshmq.core.session import Session


class Host(Protocol):
    """What a session asks of the participant it belongs to."""

    outputs: list[tuple[object, ...]]
    connections: dict[int, Session]
    #: Those that have something to send.
    laden: dict[Line, None]
    #: Whether more may be sent to somebody than before.
    eased: bool

    def dial_direct(self, session: Session, now: float) -> int | None:
        """Dial the session's peer; ``None`` when no address is known."""

    def peer_present(self, node_id: bytes) -> bool:
        """Whether the process of a peer is there, whatever its interpreter does."""

    def hello(self, session_id: bytes, epoch: int, resumed: bool, dial: int) -> bytes:
        """Return the body of our HELLO."""

    def session_up(self, session: Session, now: float) -> None:
        """Learn that a new session stands."""

    def session_ended(self, session: Session, reason: str, now: float) -> None:
        """Learn that the session is over; what was not covered is lost."""


class Line:
    """What is sent and received in a session, and the connection under it."""

    def __init__(self, peer: bytes, host: Host, grace: float) -> None:
        self.peer = peer
        self.epoch = 0
        #: How often the peer was dialled.
        self.dials = 0
        self.id: bytes | None = None
        self.connection: int | None = None
        self.replayed = 0
        self._host, self._grace = host, grace
        #: For how long what is being read came.
        self.took = 0.0
        #: Whether what came last is to be covered at once, and not after ``COVER_AFTER``.
        self.hasty = False
        #: Whether so many small frames have waited once that it may be ``crowded``.
        self.heaped = False
        self._reset()

    @property
    def live(self) -> bool:
        """Whether a session stands, with or without a connection just now."""
        return self.id is not None

    @property
    def settled(self) -> bool:
        """Whether the peer has everything that was put."""
        return self._stream.settled

    def room(self, lane: Lane = "jobs") -> bool:
        """Whether another batch may be sent now."""
        return self.connection is not None and self._stream.room(lane)

    @property
    def unread(self) -> int:
        """Bytes of requests and answers that wait for room."""
        return self._stream.unread

    @property
    def crowded(self) -> bool:
        """Whether the peer asks for more answers than it takes."""
        return self._stream.crowded

    @property
    def answering(self) -> bool:
        """Whether it stands on a connection that is not in doubt."""
        return self.connection is not None and not self._pulse.doubtful

    def put(self, kind: Kind, body: bytes) -> None:
        """Queue a small frame; these go before everything else. Only on a live session."""
        self._stream.put(kind, body)
        self.heaped = self.heaped or self._stream.crowded
        self._host.laden[self] = None

    def post(self, kind: Kind, frames: Sequence[bytes], name: bytes) -> None:
        """Queue a request or an answer; those of one name keep their order. Only on a live session."""
        self._stream.post(kind, frames, name)
        self._host.laden[self] = None

    @property
    def piece(self) -> int:
        """How many bytes it carries in a moment."""
        return self._stream.piece

    def carries(self, name: str | None = None) -> bool:
        """Whether a large message (of this name) is under way: what follows it in order has to wait."""
        return self._stream.carries(name)

    def under_way(self, lane: Lane) -> float | None:
        """Return which part of the large message of a lane has left, ``None`` where none is under way."""
        return self._stream.under_way(lane)

    def abandon(self, lane: Lane) -> None:
        """Send no more of the large messages of a lane that are under way."""
        self._stream.abandon(lane)

    def pump(self, now: float, source: Source, name: str = "", lane: Lane = "jobs", whole: float = inf) -> None:
        """Send what may be sent: small frames first, then calls, then chunks and batches (of ``name``) in turns."""
        while self.connection is not None and (found := self._stream.next(source, name, lane, whole)) is not None:
            kind, frames = found
            self._send(kind, self._stream.keep(kind, frames, now), frames)

    def send_pending(self, now: float) -> bool:
        """Send what waits; whether a large message has gone with it, and left its place."""
        stream = self._stream
        under_way = len(stream.transfers)
        while self.connection is not None and (found := stream.next()) is not None:
            kind, frames = found
            self._send(kind, stream.keep(kind, frames, now), frames)
        return len(stream.transfers) < under_way

    def _send(self, kind: Kind, number: int = 0, frames: Sequence[bytes] = (b"",)) -> None:
        head = self._stream.head(kind, number)
        parts = [b"".join((head, *frames))] if kind is Kind.CHUNK else [head + frames[0], *frames[1:]]
        self._host.outputs.append(("send", self.connection, parts))

    def accept(self, connection: int, kind: Kind, number: int, received: int, size: int, now: float) -> bool:
        """Take note of a frame; whether its body is new and for the participant to read."""
        if connection != self.connection:
            return False
        stream = self._stream
        if received > stream.sent:
            raise ProtocolError("it covers frames that were never sent")
        held = stream.kept_bytes
        progress = held > 0 and stream.cover(received, now)
        self._pulse.heard(now, calm=progress or (kind is Kind.COVER and not stream.kept))
        self.took = 0.0
        if progress and held >= WINDOW:  # something may have waited for it
            self._host.eased = True
            self._host.laden[self] = None
        if number == 0:
            if kind is Kind.PING:
                self._send(Kind.COVER)
            return False
        verdict = stream.take(number, size, now)
        self.hasty = stream.cover_at == now
        if verdict == "hole":
            self._break(now)  # frames between are lost: this connection lied
        return verdict == "new"

    def assemble(self, body: memoryview, limit: int, now: float) -> tuple[Kind, list[bytes]] | None:
        """Add a chunk of a large message; returns the message it completes.

        Raises:
            ProtocolError: it does not fit what came before.
        """
        whole = self._stream.arriving.add(body, limit, now)
        if whole is None:
            return None
        kind, frames, self.took = whole
        return kind, frames

    def suspect(self, now: float) -> None:
        """Doubt that the peer lives: it has to answer within ``grace``."""
        if self.connection is not None and self._pulse.ask(now, self._grace):
            self._send(Kind.PING)

    def hurry(self) -> None:
        """Have the peer say at once what it has received."""
        if self.connection is not None and self._stream.kept:
            self._send(Kind.PING)

    def _reset(self) -> None:
        self._stream = Stream()
        self._pulse = Pulse()

    def _take_over(self, connection: int, received: int, now: float, *, answer: bool) -> None:
        """Go on over a fresh connection: what the peer has not received is sent again."""
        if self.connection is not None and self.connection != connection:
            self._forget(self.connection)
        self.connection = connection
        if answer:
            self._say_hello(connection, self.id or b"", resumed=True)
        self._pulse.heard(now, calm=True)
        for number, kind, frames in self._stream.again(received, now):
            self.replayed += 1
            self._send(kind, number, frames)
        self._host.eased = True
        self._host.laden[self] = None

    def _forget(self, connection: int) -> None:
        self._host.connections.pop(connection, None)
        self._host.outputs.append(("hang_up", connection))

    def _say_bye(self, connection: int, reason: str) -> None:
        body = pack_bye(reason, self.epoch)
        self._host.outputs.append(("send", connection, [pack_head(Kind.BYE, 0, self._stream.received) + body]))

    def _turn_away(self, connection: int, reason: str) -> None:
        self._say_bye(connection, reason)
        self._host.outputs.append(("hang_up", connection))

    def _say_hello(self, connection: int, session_id: bytes, *, resumed: bool) -> None:
        body = self._host.hello(session_id, self.epoch, resumed, self.dials)
        self._host.outputs.append(("send", connection, [pack_head(Kind.HELLO, 0, self._stream.received) + body]))

    def _break(self, now: float) -> None:
        """Give up the connection, and go on over another."""
        raise NotImplementedError

    @property
    def deadline(self) -> float | None:
        """The next moment at which something is due."""
        raise NotImplementedError
