"""Directed jobs: those of one queue that one node, named by the pusher, is to do, and nobody else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from meshmq.core.runs import Run, count_jobs, lengthen, put_back, sift
from meshmq.fate import ORDINARY, Fate
from meshmq.wire.fields import Ranges


class Directed:
    """Runs that wait, by the name (or the id in hex) of who is to do them."""

    def __init__(self) -> None:
        self._runs: dict[str, deque[Run]] = {}

    def __len__(self) -> int:
        return sum(count_jobs(runs) for runs in self._runs.values())

    @property
    def targets(self) -> list[str]:
        """Return for whom jobs wait."""
        return [to for to, runs in self._runs.items() if runs]

    @property
    def runs(self) -> list[Run]:
        """All that wait."""
        return [run for runs in self._runs.values() for run in runs]

    def add(
        self, number: int, bodies: list[bytes], to: str, now: float, attempts: int = 0, fate: Fate = ORDINARY
    ) -> None:
        """Take fresh jobs."""
        lengthen(self._runs.setdefault(to, deque()), number, bodies, now, to, attempts, fate)

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
            put_back(self._runs.setdefault(to, deque()), runs)
        return others

    def waiting(self, to: str) -> int:
        """Return how many jobs wait for one node."""
        return count_jobs(self._runs.get(to, ()))

    def take(self, to: str, most: int) -> Run:
        """Take the next jobs for one node, as many as stand together, at most ``most``."""
        runs = self._runs[to]
        run = runs.popleft()
        if most < len(run.bodies):
            runs.appendleft(run.cut(most, len(run.bodies)))
            run = run.cut(0, most)
        elif not runs:
            del self._runs[to]
        return run

    def give_back(self, run: Run) -> None:
        """Put what was taken, and is too much for one batch, in front again."""
        assert run.to is not None
        self._runs.setdefault(run.to, deque()).appendleft(run)

    def release(self) -> list[Run]:
        """Take out what was recalled from those who had it, for anybody to do."""
        released = [run for run in self.runs if run.at is not None]
        for run in released:
            assert run.to is not None
            self._runs[run.to].remove(run)
            run.release()
        return released

    def sift(self, spans: Ranges) -> list[Run]:
        """Take the numbers of all ``spans``, which are sorted and apart, out of what waits."""
        return [taken for runs in self._runs.values() for taken in sift(runs, spans)]
