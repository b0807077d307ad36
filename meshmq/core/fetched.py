"""Fetched: the jobs of one queue that came and nobody has begun."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from meshmq.core.sources import Source
from meshmq.wire.batches import Batch


class Piece(NamedTuple):
    """Jobs ``start`` to ``end`` (without it) of a batch, and when it arrived."""

    batch: Batch
    source: Source
    arrived: float
    start: int
    end: int

    def expired(self, now: float) -> bool:
        """Whether nobody is to begin them any more."""
        ttl = self.batch.terms.ttl
        return ttl is not None and now - self.arrived >= ttl


class Fetched:
    """Pieces in the order in which they came, the highest priority first."""

    def __init__(self) -> None:
        #: The highest priority first. Most inboxes have one line for their life.
        self._lines: dict[int, deque[Piece]] = {0: deque()}
        #: How many jobs.
        self.count = 0
        #: When to look which have expired.
        self.deadline: float | None = None

    def add(self, piece: Piece) -> None:
        """Put a piece behind the others of its priority."""
        self._line(piece).append(piece)
        self._count(piece)

    def put_back(self, piece: Piece) -> None:
        """Put a piece before the others of its priority."""
        self._line(piece).appendleft(piece)
        self._count(piece)

    def take(self) -> Piece | None:
        """Take out the next piece."""
        for line in self._lines.values():
            if line:
                piece = line.popleft()
                self.count -= piece.end - piece.start
                return piece
        return None

    def of(self, source: Source) -> list[Piece]:
        """Take out what came from one pusher."""
        found = [piece for line in self._lines.values() for piece in line if piece.source is source]
        for priority, line in self._lines.items():
            self._lines[priority] = deque(piece for piece in line if piece.source is not source)
        self.count -= sum(piece.end - piece.start for piece in found)
        return found

    def expired(self, now: float) -> list[Piece]:
        """Take out what nobody is to begin any more."""
        if self.deadline is None or now < self.deadline:
            return []
        over = [piece for line in self._lines.values() for piece in line if piece.expired(now)]
        for priority, line in self._lines.items():
            self._lines[priority] = deque(piece for piece in line if not piece.expired(now))
        self.count -= sum(piece.end - piece.start for piece in over)
        left = (
            piece.arrived + piece.batch.terms.ttl
            for line in self._lines.values()
            for piece in line
            if piece.batch.terms.ttl is not None
        )
        self.deadline = min(left, default=None)
        return over

    def _count(self, piece: Piece) -> None:
        self.count += piece.end - piece.start
        if piece.batch.terms.ttl is not None:
            moment = piece.arrived + piece.batch.terms.ttl
            self.deadline = moment if self.deadline is None else min(moment, self.deadline)

    def _line(self, piece: Piece) -> deque[Piece]:
        line = self._lines.get(piece.batch.terms.priority)
        if line is None:
            line = self._lines[piece.batch.terms.priority] = deque()
            self._lines = dict(sorted(self._lines.items(), reverse=True))
        return line
