"""Sources: the pushers of one queue as its inbox sees them, and how much each of them may send."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from meshmq.wire.batches import Batch


@dataclass(slots=True, eq=False)
class Source:
    """One pusher, as this inbox sees it: what came in this session, and what it may send."""

    peer: bytes
    received: int = 0
    received_bytes: int = 0
    finished: int = 0
    finished_bytes: int = 0
    limit: int = 0
    limit_bytes: int = 0
    most: int = 0
    most_bytes: int = 0
    backlog: int = 0
    gone: bool = False
    dirty: bool = False

    def take(self, batch: Batch) -> bool:
        """Count a batch in; ``False`` where it is more than was ever granted."""
        # A limit may have sunk while the batch was on its way. The last one may go beyond the bytes.
        if self.received + batch.count > self.most or self.received_bytes >= self.most_bytes:
            return False
        self.received += batch.count
        self.received_bytes += batch.size
        self.backlog, self.dirty = batch.backlog, True
        return True

    @property
    def granted(self) -> bool:
        """Whether more may come."""
        return self.received < self.most and self.received_bytes < self.most_bytes

    def finish(self, batch: Batch, start: int, end: int) -> None:
        """Count jobs of a batch out: done, given back, or repeats."""
        self.finished += end - start
        self.finished_bytes += batch.size_of(start, end)
        self.dirty = True

    def told(self, limit: int, limit_bytes: int) -> None:
        """Note that the pusher is told of these limits."""
        self.limit, self.limit_bytes = limit, limit_bytes
        self.most, self.most_bytes = max(self.most, limit), max(self.most_bytes, limit_bytes)

    def worth_telling(self, limit: int, limit_bytes: int) -> bool:
        """Whether new limits are news: the jobs sink, half of them are used up, or all bytes were."""
        if limit < self.limit or self.limit_bytes <= self.received_bytes < limit_bytes:
            return True
        return limit > self.limit and self.limit - self.received <= (limit - self.finished) // 2


class Sources(dict[bytes, Source]):
    """All pushers of a queue in the sessions that stand, by id; those with a backlog share the window."""

    def opened(self, peer: bytes) -> Source:
        """Return a pusher, as of this session."""
        source = self.get(peer)
        if source is None:
            source = self[peer] = Source(peer)
        return source

    def touch(self) -> None:
        """Look at everybody's limits again."""
        for source in self.values():
            source.dirty = True

    @property
    def dirty(self) -> bool:
        """Whether somebody's limits are to be looked at."""
        return any(source.dirty for source in self.values())

    @property
    def busy(self) -> int:
        """How many have a backlog."""
        return sum(1 for source in self.values() if source.backlog)

    def news(self, due: Container[bytes], window: int, size: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
        """Yield whom to tell of which limits, and note that: all in ``due``, others where it is worth it."""
        busy = self.busy
        for peer, source in self.items():
            if source.dirty or peer in due:
                source.dirty = False
                limits = self.limits(source, busy, window, size)
                if peer in due or source.worth_telling(*limits):
                    source.told(*limits)
                    yield peer, limits

    def limits(self, source: Source, busy: int, window: int, size: int) -> tuple[int, int]:
        """Return what a pusher may send of a window in jobs and of ``size`` bytes, where ``busy`` have a backlog.

        Nothing more at window 0.
        """
        if not window:
            return source.received, source.received_bytes
        if busy and not source.backlog:
            share, sharing = 1, len(self)
        else:
            sharing = busy or len(self)
            share = max(1, window // sharing)
        limit = source.finished + share
        if not busy:
            limit = max(limit, source.limit)  # nobody else needs it: what was granted stays granted
        return limit, source.finished_bytes + size // sharing
