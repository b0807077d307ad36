"""Directed jobs: those of one queue that one node, named by the pusher, is to do, and nobody else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from meshmq.core.runs import Run, count_jobs, lengthen, put_back, sift
from meshmq.fate import ORDINARY, Fate
from meshmq.wire.fields import Ranges
from meshmq.wire.row import Row


class Directed:
    """Runs that wait, by the name (or the id in hex) of who is to do them."""

    def __init__(self) -> None:
        self._runs: dict[str, deque[Run]] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(self._counts.values())

    def __bool__(self) -> bool:
        return bool(self._counts)

    @property
    def spread(self) -> int:
        """For how many jobs wait."""
        return len(self._counts)

    @property
    def targets(self) -> list[str]:
        """Return for whom jobs wait."""
        return list(self._runs)

    @property
    def runs(self) -> list[Run]:
        """All that wait."""
        return [run for runs in self._runs.values() for run in runs]

    def add(self, number: int, row: Row, to: str, now: float, attempts: int = 0, fate: Fate = ORDINARY) -> None:
        """Take fresh jobs."""
        lengthen(self._of(to), number, row, now, to, attempts, fate)
        self._count(to, len(row))

    def put_back(self, back: Iterable[Run]) -> list[Run]:
        """Put those that are for one node where their numbers belong; returns the others."""
        others: list[Run] = []
        directed: dict[str, list[Run]] = {}
        for run in back:
            if run.to is None:
                others.append(run)
            else:
                directed.setdefault(run.to, []).append(run)
        for to, runs in directed.items():
            waiting, count = self._of(to), count_jobs(runs)
            if len(runs) == 1 and waiting and waiting[-1].last < runs[0].first:
                waiting.append(runs[0])  # as a rule, and quickly however much waits
            else:
                put_back(waiting, runs)
            self._count(to, count)
        return others

    def waiting(self, to: str) -> int:
        """Return how many jobs wait for one node."""
        return self._counts.get(to, 0)

    def next(self, to: str) -> Run:
        """Return the first run that waits for one node, which has some."""
        return self._runs[to][0]

    def take(self, to: str, most: int) -> Run:
        """Take the next jobs for one node, as many as stand together, at most ``most``."""
        run = self._runs[to].popleft()
        if most < len(run.bodies):
            self._runs[to].appendleft(run.cut(most, len(run.bodies)))
            run = run.cut(0, most)
        self._count(to, -len(run.bodies))
        return run

    def give_back(self, run: Run) -> None:
        """Put what was taken, and is too much for one batch, in front again."""
        assert run.to is not None
        self._of(run.to).appendleft(run)
        self._count(run.to, len(run.bodies))

    def release(self) -> list[Run]:
        """Take out what was recalled from those who had it, for anybody to do."""
        released = [run for run in self.runs if run.at is not None]
        for run in released:
            assert run.to is not None
            self._runs[run.to].remove(run)
            self._count(run.to, -len(run.bodies))
            run.release()
        return released

    def sift(self, spans: Ranges) -> list[Run]:
        """Take the numbers of all ``spans``, which are sorted and apart, out of what waits."""
        found: list[Run] = []
        for to in list(self._runs):
            taken = sift(self._runs[to], spans)
            self._count(to, -count_jobs(taken))
            found += taken
        return found

    def _of(self, to: str) -> deque[Run]:
        return self._runs.setdefault(to, deque())

    def _count(self, to: str, change: int) -> None:
        self._counts[to] = self._counts.get(to, 0) + change
        if not self._counts[to]:
            del self._counts[to], self._runs[to]
