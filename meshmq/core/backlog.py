"""A backlog: the jobs of one outbox that no worker has: they wait in order, wait alone, pause, or are for one node."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from random import Random
from typing import Final

from meshmq.core.directed import Directed
from meshmq.core.pauses import Pauses
from meshmq.core.runs import Run, count_jobs, lengthen, put_back, sift
from meshmq.settings import Settings
from meshmq.wire.fields import Ranges

#: Seconds after which jobs that a dead device had given to a worker go to others, should that worker not take them.
RECALL_PATIENCE: Final = 1.0


class Backlog:
    """Runs by what they wait for; ``waiting`` counts those that may go to anybody."""

    def __init__(self, settings: Settings, random: Random) -> None:
        self.ready: deque[Run] = deque()
        #: Each may have been begun by a worker that was lost: it goes out while nothing else is with its worker.
        self.alone: deque[Run] = deque()
        self.pauses = Pauses(settings, random)
        self.directed = Directed()
        self.waiting = 0
        #: When what was recalled goes to anybody.
        self._recalled_until: float | None = None

    @property
    def runs(self) -> list[Run]:
        """All that no worker has."""
        return [*self.ready, *self.alone, *self.pauses.runs, *self.directed.runs]

    @property
    def idle(self) -> int:
        """How many jobs no worker has."""
        return self.waiting + len(self.pauses) + len(self.directed)

    @property
    def untouched(self) -> int:
        """How many jobs no worker has had in its hands, as far as is known."""
        return count_jobs(run for run in self.runs if not run.attempts and not run.failures)

    def add(self, number: int, bodies: list[bytes], now: float, to: str | None = None, attempts: int = 0) -> None:
        """Take fresh jobs with consecutive numbers; what they are made of was delivered ``attempts`` times before."""
        if to is None:
            lengthen(self.ready, number, bodies, now, None, attempts)
            self.waiting += len(bodies)
        else:
            self.directed.add(number, bodies, to, now, attempts)

    def to_front(self, runs: Iterable[Run]) -> None:
        """Put back what a worker had, where its numbers belong."""
        back = self.directed.put_back(runs)
        self.waiting += count_jobs(back)
        put_back(self.ready, back)

    def suspect(self, runs: Iterable[Run], *, first: bool = False) -> None:
        """Put back what is to go out alone, behind others of its kind or ``first``."""
        back = self.directed.put_back(runs)
        self.waiting += count_jobs(back)
        (self.alone.extendleft if first else self.alone.extend)(back)

    def next_alone(self) -> Run:
        """Take the next job that goes out alone."""
        run = self.alone.popleft()
        if len(run.bodies) > 1:
            self.alone.appendleft(run.cut(1, len(run.bodies)))
            run = run.cut(0, 1)
        return run

    def sift(self, spans: Ranges) -> list[Run]:
        """Take numbers out of wherever they wait."""
        found: list[Run] = []
        for waiting in (self.ready, self.alone):
            taken = sift(waiting, spans)
            self.waiting -= count_jobs(taken)
            found += taken
        return found + self.directed.sift(spans) + self.pauses.sift(spans)

    def recall(self, runs: list[Run], now: float) -> None:
        """Put back what was with a device: first to those who have it by its receipts, after a while to anybody."""
        for run in runs:
            run.recall()
        if any(run.at is not None for run in runs):
            self._recalled_until = now + RECALL_PATIENCE
        self.to_front(runs)

    @property
    def deadline(self) -> float | None:
        """When ``wake`` has something to do."""
        moments = (self.pauses.deadline, self._recalled_until)
        return min((moment for moment in moments if moment is not None), default=None)

    def wake(self, now: float) -> bool:
        """Put in front what has paused long enough, or was recalled and not taken; whether there was any."""
        back = self.pauses.due(now)
        if self._recalled_until is not None and now >= self._recalled_until:
            self._recalled_until = None
            back += self.directed.release()
        self.suspect(run for run in back if run.alone)
        self.to_front(run for run in back if not run.alone)
        return bool(back)
