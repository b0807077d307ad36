"""Pauses: refused jobs that wait a while, ever longer, before they are offered again."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from random import Random

from meshmq.core.runs import Run, sift
from meshmq.settings import Settings
from meshmq.wire.fields import Ranges


class Pauses:
    """Runs of one job each, by the moment at which they are due."""

    def __init__(self, settings: Settings, random: Random) -> None:
        self._settings, self._random = settings, random
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

    def add(self, run: Run, delay: float | None, now: float) -> None:
        """Let a job pause: for ``delay`` seconds, else twice as long as the time before, with jitter."""
        run.failures += 1
        if delay is None:
            longest = min(self._settings.backoff_limit, self._settings.backoff * 2 ** min(run.failures - 1, 30))
            delay = longest * (0.5 + 0.5 * self._random.random())
        heappush(self._heap, (now + delay, run.first, run))

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
