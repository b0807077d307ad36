"""Hands: jobs of one batch that one consumer has, and how far it is."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from meshmq.core.sources import Source
from meshmq.wire.batches import Batch
from meshmq.wire.verdicts import Verdict


@dataclass(slots=True, eq=False)
class Hand:
    """Jobs ``floor`` to ``end`` (indices of ``batch``) in the hands of one consumer.

    It goes on to the next without the lock: an iterator, ``ahead``, gives each index once, to the consumer or
    to who recalls the hand.
    """

    batch: Batch
    source: Source
    arrived: float
    floor: int
    end: int
    consumer: Hashable
    taken_at: float = 0.0
    start: int = 0
    #: The last that is begun, where several are at once.
    together: int = -1
    told: int = 0
    said: dict[int, Verdict | None] = field(default_factory=dict)
    #: Those that are confirmed by word alone, though the consumer goes on.
    kept: set[int] = field(default_factory=set)
    ahead: Iterator[int] = field(default_factory=lambda: iter(()))

    @property
    def position(self) -> int:
        """The last that is begun."""
        return max(min(self.floor, self.end - 1), self.together)

    def step(self) -> int:
        """Begin the next job, the one before is done; returns its index, -1 where there is none."""
        index = next(self.ahead, -1)
        if index >= 0:
            self.floor = index
        return index

    def recall(self) -> list[tuple[int, int]]:
        """Take away what is not begun; returns spans of it, without what was said of already."""
        end, rest = self.end, list(self.ahead)
        if rest:
            self.end = rest[0]
        return self.unsaid(self.end, end)

    def unsaid(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return spans of ``start`` to ``end`` of which nothing was said."""
        if not self.said:
            return [(start, end)] if start < end else []
        cuts = sorted(index for index in self.said if start <= index < end)
        spans = zip([start, *(index + 1 for index in cuts)], [*cuts, end], strict=True)
        return [(first, last) for first, last in spans if first < last]

    def holds(self, origin: bytes, number: int) -> bool:
        """Whether the job is here and nothing was said of it: it is done, or left, when the hand is."""
        # A job that was given back by word is not: its next delivery may come before its hand is done.
        # One that is done and not told is: it is told with its hand.
        index = number - self.batch.first
        return self.batch.origin == origin and self.told <= index < self.end and index not in self.said
