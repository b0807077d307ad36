"""Counts over the last seconds, to which each chunk of lines is added once, however often it comes.

Time is what the chunks say: the window ends where the newest was read. So a delay on the way changes nothing, and tests
need no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

Key = tuple[str, str]

#: For so many seconds ids are remembered. A chunk comes again when its counter died: within seconds.
REMEMBERED: Final = 600.0


class Window:
    """Counts by service and level: over the last ``seconds``, and in all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._newest = 0.0
        self._recent: dict[str, tuple[float, Counter[Key]]] = {}
        self._known: dict[str, float] = {}
        self.total: Counter[Key] = Counter()
        #: Chunks that came again and were not added again; and that came too late to tell.
        self.repeats = self.late = 0

    def add(self, chunk: str, at: float, service: str, levels: Mapping[str, int]) -> None:
        """Add the counts of a chunk that was read at a moment; nothing where it was added before."""
        if chunk in self._known:
            self.repeats += 1
        elif at < self._newest - REMEMBERED:
            self.late += 1
        else:
            counts = Counter({(service, level): number for level, number in levels.items()})
            self._known[chunk], self._recent[chunk] = at, (at, counts)
            self.total.update(counts)
            self._move(max(self._newest, at))

    def counts(self) -> Counter[Key]:
        """Return what is in the window."""
        return sum((counts for _, counts in self._recent.values()), Counter[Key]())

    def _move(self, newest: float) -> None:
        self._newest = newest
        self._recent = {chunk: kept for chunk, kept in self._recent.items() if kept[0] > newest - self._seconds}
        # They come in the order of time but for a few: the oldest are in front.
        for chunk in [*self._known][:100]:
            if self._known[chunk] < newest - REMEMBERED:
                del self._known[chunk]
