"""How much work a puller asks for ahead: about ``prefetch_work`` seconds of it, by its own pace.

Little's law, L = λ·W: to keep a worker busy for W seconds it needs L = μ·W jobs at hand, μ being
the rate at which it works.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import Final

from meshmq.core.busy import BusyTime
from meshmq.settings import Settings

HAND_WORK: Final = 0.005
_LOW, _HIGH = itemgetter(0), itemgetter(1)


class Pace:
    """The measured time one job takes, and the window that follows from it."""

    def __init__(self, settings: Settings, fixed: int | None = None) -> None:
        self._settings = settings
        self.fixed = fixed
        self.service = 0.0
        #: When a consumer had jobs in hand.
        self.busy = BusyTime()
        self.done = 0

    def observe(self, jobs: int, seconds: float) -> None:
        """Learn that ``jobs`` took ``seconds`` of one consumer's time."""
        if jobs <= 0:
            return
        each = max(seconds / jobs, 1e-7)
        # A slow job counts at once, a quick one has to prove itself: holding too little costs a
        # round trip, holding too much costs others the job.
        share = 1.0 if each > self.service else min(1.0, 0.2 + 0.02 * jobs)
        self.service += (each - self.service) * share
        self.done += jobs

    def window(self, consumers: int) -> int:
        """Return how many jobs to hold: one for each consumer at least; at most doubles with what was done."""
        least = max(1, consumers)
        if self.fixed is not None:
            return max(least, self.fixed)
        if not self.done:
            return least
        wanted = int(self._settings.prefetch_work / self.service * least)
        return max(least, min(wanted, self._settings.prefetch_jobs, 2 * self.done))

    def handful(self, consumers: int) -> int:
        """Return how many jobs to give one consumer at once: more than one where they are quick and it is alone."""
        if consumers > 1 or not self.done:
            return 1
        return max(1, int(HAND_WORK / self.service))


class Ranges:
    """A set of whole numbers kept as ranges; the oldest are forgotten above ``most``."""

    __slots__ = ("_edges", "_most")

    def __init__(self, most: int = 1_000) -> None:
        self._edges: list[list[int]] = []
        self._most = most

    def __bool__(self) -> bool:
        return bool(self._edges)

    def __contains__(self, number: int) -> bool:
        place = bisect_left(self._edges, number, key=_HIGH)
        return place < len(self._edges) and self._edges[place][0] <= number

    def add(self, first: int, last: int) -> None:
        """Add ``first`` to ``last``, both included."""
        edges = self._edges
        if edges and edges[-1][1] + 1 == first:
            edges[-1][1] = last
            return
        low = bisect_left(edges, first - 1, key=_HIGH)
        high = bisect_right(edges, last + 1, lo=low, key=_LOW)
        touched = edges[low:high]
        edges[low:high] = [[min([first, *map(_LOW, touched)]), max([last, *map(_HIGH, touched)])]]
        if len(edges) > self._most:
            del edges[: len(edges) - self._most]

    def pairs(self) -> list[tuple[int, int]]:
        """Return the ranges, lowest first."""
        return [(first, last) for first, last in self._edges]
