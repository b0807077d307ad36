"""The memory that this process lends: one pool for all its nodes, in which large values are copied when they are sent.

Nothing is made before a peer has said that it can read it, nor kept for longer than ``REST`` after the last value. A
pool is bounded; what has no room in it is sent as it would be without.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import deque
from typing import Final

from meshmq.codecs.base import Buffer
from meshmq.links.gate import Gate
from meshmq.links.reader import owned
from meshmq.links.shared.segments import CELLS, OWNER, SHARES, Room, Segment
from meshmq.wire.loans import TOKEN_BYTES, Lent, Memory

#: Bytes of all slots; pages that were never written take no memory.
MOST_BYTES: Final = 256 * 1024 * 1024
#: Small slots share a segment, and its two descriptors.
SEGMENT_BYTES: Final = 16 * 1024 * 1024
LARGEST: Final = 64 * 1024 * 1024
SMALLEST: Final = 64 * 1024
REST: Final = 10.0
#: How many slots are looked at for each that is taken: they come back about in the order in which they went.
_LOOKS: Final = 4


class _Shelf:
    """The slots of one size."""

    def __init__(self) -> None:
        #: The last to come back is the first to go: its memory is still in the cache.
        self.free: list[tuple[Segment, int]] = []
        self.used: deque[tuple[Segment, int]] = deque()

    def look(self) -> None:
        """Take back some of what has come back."""
        for _ in range(min(_LOOKS, len(self.used))):
            segment, slot = self.used.popleft()
            (self.free if segment.is_free(slot) else self.used).append((segment, slot))

    def drop(self, segments: set[Segment]) -> None:
        """Forget the slots of some segments."""
        self.free = [place for place in self.free if place[0] not in segments]
        self.used = deque(place for place in self.used if place[0] not in segments)


class Pool:
    """Segments, and which connections borrow of them; any thread may use it.

    A signal handler or a ``__del__`` may come by in the middle of it, on the same thread, through another node: it gets
    nothing, and what it sends goes as it would without a pool.
    """

    def __init__(self) -> None:
        self._gate = Gate()
        self._token, self._answer = secrets.token_bytes(TOKEN_BYTES), secrets.token_bytes(TOKEN_BYTES)
        self._proof: Segment | None = None
        self._segments: set[Segment] = set()
        self._shelves: dict[int, _Shelf] = {}
        #: The cells that no connection has.
        self._cells = list(range(CELLS - 1, OWNER, -1))
        #: The cells of connections that are over, but not looked after yet.
        self._left: deque[int] = deque()
        self._taken_at = 0.0

    def __repr__(self) -> str:
        size = sum(map(len, self._segments))
        return f"<Pool of {len(self._segments)} segments, {size:,} bytes, {CELLS - 1 - len(self._cells)} borrowers>"

    @property
    def lends(self) -> bool:
        """Whether any connection has a cell."""
        return len(self._cells) < CELLS - 1

    def offer(self) -> Memory | None:
        """Return where a peer is to look whether it can read memory of this process; ``None`` where there is none."""
        if not SHARES or self._gate.mine:
            return None
        with self._gate:
            try:
                proof = self._proof = self._proof or Segment.make(0, 0, self._token, self._answer)
            except OSError:
                return None
            return Memory(os.getpid(), proof.descriptor, proof.inode, self._token)

    def enter(self, answer: bytes) -> int | None:
        """Return the cell of a connection whose peer has read ``answer`` in memory of ours, ``None`` where it is wrong.

        There are only so many cells; who comes too late for one borrows nothing.
        """
        if self._gate.mine:
            return None
        with self._gate:
            if not secrets.compare_digest(answer, self._answer) or not self._cells:
                return None
            return self._cells.pop()

    def leave(self, cell: int) -> None:
        """Take back the cell of a connection that is over, and use no segment again of which it has not given all back.

        Its peer may read there as long as it likes: what is not used again is freed by the system when all have gone.
        """
        self._left.append(cell)
        if not self._gate.mine:
            with self._gate:
                self._clear()

    def copied(self, data: Buffer) -> Buffer:
        """Return a copy of large data that can be lent, or at least sent as often as need be without another copy."""
        room = self._take(len(data)) if self.lends and len(data) <= LARGEST else None
        if room is None:
            return owned(data)
        room[:] = data
        return room.toreadonly()

    def lend(self, frame: bytes | memoryview, place: int, cell: int) -> Lent | None:
        """Lend a frame to the connection of a cell; ``None`` where it lies elsewhere, or is lent to it already."""
        room = frame.obj if type(frame) is memoryview else None
        if not isinstance(room, Room) or len(frame) != room.length or self._gate.mine:  # a piece may begin anywhere
            return None
        segment = room.segment
        with self._gate:
            if segment not in self._segments or not segment.use(room.slot, cell):
                return None
        return Lent(place, segment.descriptor, segment.inode, room.slot, cell, len(frame))

    def rest(self) -> bool:
        """Give back all memory that nobody uses where nothing was lent for a while; whether any is left."""
        if self._gate.mine:
            return True
        with self._gate:
            self._clear()
            if time.monotonic() - self._taken_at >= REST:
                self._drop({segment for segment in self._segments if segment.discard()})
            return bool(self._segments)

    def _take(self, length: int) -> memoryview | None:
        if self._gate.mine:
            return None
        capacity = max(SMALLEST, 1 << (length - 1).bit_length())
        with self._gate:
            self._clear()
            shelf = self._shelves.setdefault(capacity, _Shelf())
            shelf.look()
            if not shelf.free and not self._widen(shelf, capacity):
                return None
            segment, slot = shelf.free.pop()
            segment.use(slot, OWNER)
            shelf.used.append((segment, slot))
            self._taken_at = time.monotonic()
            return segment.room(slot, OWNER, length)

    def _widen(self, shelf: _Shelf, capacity: int) -> bool:
        slots = max(1, SEGMENT_BYTES // capacity)
        if sum(map(len, self._segments)) + slots * capacity > MOST_BYTES:
            return False
        try:
            segment = Segment.make(capacity, slots, self._token, self._answer)
        except OSError:
            return False
        self._segments.add(segment)
        shelf.free.extend((segment, slot) for slot in reversed(range(slots)))
        return True

    def _clear(self) -> None:
        """Forget what may be read by whom nobody knows any more."""
        while self._left:
            cell = self._left.popleft()
            self._drop({segment for segment in self._segments if segment.is_used_by(cell)})
            self._cells.append(cell)
            if not self.lends:
                self._drop(set(self._segments))
        self._drop({segment for segment in self._segments if segment.inherited})

    def _drop(self, segments: set[Segment]) -> None:
        if segments:
            self._segments -= segments
            for shelf in self._shelves.values():
                shelf.drop(segments)


_pool = Pool()


def _forked() -> None:
    global _pool
    _pool = Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def process_pool() -> Pool:
    """Return the pool of this process."""
    return _pool


def copied(data: Buffer) -> Buffer:
    """Copy large data into the pool of this process; see ``Pool.copied``."""
    return _pool.copied(data)
