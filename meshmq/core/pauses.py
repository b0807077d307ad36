"""Pauses: jobs that are offered at a moment of their own: refused ones, ever later, and those that were pushed so."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from random import Random

from meshmq.core.runs import Run, sift
from meshmq.fate import Fate
from meshmq.settings import Settings
from meshmq.wire.fields import Ranges


class Pauses:
    """Runs of one job each, by the moment at which they are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Run]] = []

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def runs(self) -> list[Run]:
        """All that pause, in no order."""
        return [item[2] for item in self._heap]

    @property
    def deadline(self) -> float | None:
        """When the next one is due."""
        return self._heap[0][0] if self._heap else None

    def add(self, run: Run, due: float) -> None:
        """Let a job pause until then."""
        heappush(self._heap, (due, run.first, run))

    def due(self, now: float) -> list[Run]:
        """Take out what has paused long enough."""
        back: list[Run] = []
        while self._heap and self._heap[0][0] <= now:
            back.append(heappop(self._heap)[2])
        return back

    def sift(self, spans: Ranges) -> list[Run]:
        """Take out the numbers of all ``spans``, which are sorted and apart."""
        paused = deque(self.runs)
        taken = sift(paused, spans)
        if taken:
            kept = {run.first for run in paused}
            self._heap = sorted(item for item in self._heap if item[1] in kept)
        return taken


def backoff(failures: int, fate: Fate, settings: Settings, random: Random) -> float:
    """Return how long a job pauses after it has failed so often: twice as long as the time before, with jitter."""
    first, longest = settings.backoff, settings.backoff_limit
    if isinstance(fate.backoff, tuple):
        first, longest = fate.backoff
    elif fate.backoff is not None:
        first, longest = fate.backoff, max(fate.backoff, longest)
    doubled = first * float(2 ** min(failures - 1, 30))
    return min(longest, doubled) * (0.5 + 0.5 * random.random())
