"""What one direct connection lends and borrows: large frames lie in memory, and only where they lie is sent.

With the first message that has large frames the peer is told of memory of this process (MEMORY). A peer that can read
it says what it has read (FOUND), which no peer elsewhere can; from then on, large frames of ours are lent to it (LENT).
Each direction stands for itself, and whoever does not answer gets all by the socket, as ever. None of it is said, or
listened to, on a connection that leaves the host.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, cast

import zmq

from meshmq.codecs.base import Buffer
from meshmq.errors import ProtocolError
from meshmq.links.base import Connection, Decider
from meshmq.links.options import Options
from meshmq.links.reserve import process_reserve
from meshmq.links.shared.pool import REST, process_pool
from meshmq.links.shared.segments import OWNER, SHARES, Segment, fetch
from meshmq.links.sources import Source, Sources
from meshmq.wire.loans import (
    FOUND,
    MEMORY,
    STARTS,
    Lent,
    Memory,
    pack_found,
    pack_lent,
    pack_memory,
    unpack_found,
    unpack_lent,
    unpack_memory,
)

#: So many segments of a peer are kept at hand; one that was not is found again.
_SEGMENTS: Final = 16
#: What it is called that there is no descriptor, or no address space, to map one with.
_SCARCE: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)

#: Sends one message on the connection, or raises ``zmq.ZMQError`` before its first frame has left.
Send = Callable[[Sequence[bytes]], None]
#: Ends the connection through the peer's fault, which is counted.
ThrowOut = Callable[[str, Decider, float], None]


class Loans(Source):
    """Stands between a direct connection and its socket; a source, which looks after what lies idle."""

    def __init__(
        self,
        connection: Connection,
        send: Send,
        throw_out: ThrowOut,
        options: Options,
        sources: Sources,
        *,
        here: bool,
    ) -> None:
        self._connection = connection
        self._send, self._throw_out = send, throw_out
        self._sources = sources
        self._pool = process_pool()
        self._enabled = SHARES and options.shared_memory and here
        self._most = options.frame_bytes
        self._offered = False
        #: Ours among those that the pool lends to.
        self._cell: int | None = None
        self._peer: Memory | None = None
        self._segments: dict[tuple[int, int], Segment] = {}

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message that may have large frames.

        Raises:
            zmq.ZMQError: nobody is there.
        """
        if self._cell is not None:
            frames = self._lent(frames, self._cell)
        elif self._enabled and not self._offered:
            self._offer()
        self._send(frames)

    def take(self, frames: list[bytes], decider: Decider, now: float) -> None:
        """Take a message that starts as those do which are for us, and hand on what in it is for the session."""
        try:
            kind = STARTS[frames[0][:4]]
            if kind == MEMORY:
                self._find(unpack_memory(frames[0]))
                return
            if kind == FOUND:
                self._found(unpack_found(frames[0]), now)
                return
            found = self._borrowed(frames)
        except ProtocolError:  # it is none, or what was lent is not there: the session goes on over a fresh connection
            self._throw_out("unlent", decider, now)
        else:
            decider.receive(self._connection, found, now)

    def close(self) -> None:
        """Lend and borrow no more; what was borrowed stays as long as it is used."""
        self._segments.clear()
        if self._cell is not None:
            self._pool.leave(self._cell)
        self._cell, self._peer, self._enabled = None, None, False

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """See that no memory lies idle."""
        if self._cell is not None:
            self._pool.rest()
            self._sources.later(self, now + REST)
        return 0

    def _offer(self) -> None:
        self._offered = True
        memory = self._pool.offer()
        if memory is not None:
            self._send([pack_memory(memory)])

    def _find(self, memory: Memory) -> None:
        if not self._enabled:
            return
        try:
            proof = Segment.find(memory)
        except (OSError, ValueError):  # it is on another machine, in another container, or of another user
            return
        self._peer = memory
        with suppress(zmq.ZMQError):  # it has gone: that is told elsewhere
            self._send([pack_found(proof.answer)])

    def _found(self, answer: bytes, now: float) -> None:
        if self._offered and self._enabled and self._cell is None:
            self._cell = self._pool.enter(answer)
            self._sources.later(self, now + REST)

    def _lent(self, frames: Sequence[bytes], cell: int) -> Sequence[bytes]:
        lent = [found for place, frame in enumerate(frames) if (found := self._pool.lend(frame, place, cell))]
        if not lent:
            return frames
        places = {one.place for one in lent}
        return [pack_lent(lent), *(b"" if place in places else frame for place, frame in enumerate(frames))]

    def _borrowed(self, frames: list[bytes]) -> list[bytes]:
        lent = unpack_lent(frames)
        del frames[0]
        try:
            for one in lent:
                if one.cell == OWNER:
                    raise ProtocolError("a frame was lent with the cell of its owner")
                if one.length > self._most:
                    raise ProtocolError("a frame was lent that is larger than one may be")
                frames[one.place] = cast(bytes, self._frame(one))
        except (OSError, ValueError) as error:
            raise ProtocolError(f"a frame was lent that is not there: {error}") from error
        frames[0] = bytes(frames[0])  # as every head arrives
        return frames

    def _frame(self, lent: Lent) -> Buffer:
        if self._peer is None:
            raise ValueError("nothing was found of the peer")
        try:
            return self._segment(lent, self._peer).room(lent.slot, lent.cell, lent.length).toreadonly()
        except OSError as error:
            if error.errno not in _SCARCE:
                raise
        # Who is here is served: a connection that ended for want of a descriptor might not come again for the same.
        with process_reserve().spare():
            at = self._peer._replace(descriptor=lent.descriptor, inode=lent.inode)
            return fetch(at, lent.slot, lent.cell, lent.length)

    def _segment(self, lent: Lent, peer: Memory) -> Segment:
        key = lent.descriptor, lent.inode
        segment = self._segments.pop(key, None)
        if segment is None:
            segment = Segment.find(peer._replace(descriptor=lent.descriptor, inode=lent.inode))
            if len(self._segments) == _SEGMENTS:
                del self._segments[next(iter(self._segments))]
        self._segments[key] = segment
        return segment
