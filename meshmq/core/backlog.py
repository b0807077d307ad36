"""A backlog: the jobs of one outbox that no worker has.

They wait in order, the highest priority first; wait alone; pause until they are due; or are for one node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Final

from meshmq.core.directed import Directed
from meshmq.core.keys import Keys
from meshmq.core.levels import Levels
from meshmq.core.moments import earliest
from meshmq.core.pauses import Pauses
from meshmq.core.runs import Run, count_jobs, merged, sift
from meshmq.fate import ORDINARY, Fate
from meshmq.wire.fields import Ranges
from meshmq.wire.row import Row

#: Seconds after which jobs that a dead device had given to a worker go to others, should that worker not take them.
RECALL_PATIENCE: Final = 1.0
#: Seconds between two looks for what has expired: with 100,000 runs one takes some 10 ms.
EXPIRY_PAUSE: Final = 0.1


class Backlog:
    """Runs by what they wait for; ``waiting`` counts those that may go to anybody."""

    def __init__(self) -> None:
        self.levels = Levels()
        #: Each may have been begun by a worker that was lost: it goes out while nothing else is with its worker.
        self.alone: deque[Run] = deque()
        self.pauses = Pauses()
        self.directed = Directed()
        self.keys = Keys(self.directed)
        #: Durable ones that are not on disk yet, by number.
        self.unsafe: dict[int, Run] = {}
        self.waiting = 0
        #: When to look whose time to live is over.
        self._expires_at: float | None = None
        #: When what was recalled goes to anybody.
        self._recalled_until: float | None = None

    @property
    def runs(self) -> list[Run]:
        """All that no worker has."""
        return [
            *(*self.levels.runs, *self.alone, *self.pauses.runs, *self.directed.runs, *self.keys.runs),
            *self.unsafe.values(),
        ]

    @property
    def idle(self) -> int:
        """How many jobs no worker has."""
        return self.waiting + len(self.pauses) + len(self.directed) + len(self.keys) + len(self.unsafe)

    @property
    def untouched(self) -> int:
        """How many jobs, durable ones left out, no worker has had in its hands, as far as is known."""
        volatile = (run for run in self.runs if not run.fate.durable)
        return count_jobs(run for run in volatile if not run.attempts and not run.failures)

    @property
    def ready(self) -> deque[Run]:
        """What goes next to anybody who asks."""
        return self.levels.first

    def add(
        self,
        number: int,
        row: Row,
        now: float,
        to: str | None = None,
        attempts: int = 0,
        fate: Fate = ORDINARY,
    ) -> None:
        """Take fresh jobs with consecutive numbers; what they are made of was delivered ``attempts`` times before."""
        if to is None:
            self.levels.add(number, row, now, attempts, fate)
            self.waiting += len(row)
        else:
            self.directed.add(number, row, to, now, attempts, fate)
        self._expires(now, fate)

    def append(self, run: Run) -> None:
        """Take a run as it is, behind others."""
        back = self._take_back([run])
        self.waiting += count_jobs(back)
        for one in back:
            self.levels.append(one)

    def add_keyed(self, run: Run, key: str) -> None:
        """Take a fresh job that is done after all of its key."""
        self.keys.add(run, key)
        self._expires(run.since, run.fate)

    def pause(self, run: Run, due: float) -> None:
        """Have a run of one job wait until it is due."""
        self.pauses.add(run, due)
        self._expires(run.since, run.fate)

    def _expires(self, since: float, fate: Fate) -> None:
        if fate.ttl is not None:
            moment = since + fate.ttl
            self._expires_at = moment if self._expires_at is None else min(moment, self._expires_at)

    def to_front(self, runs: Iterable[Run]) -> None:
        """Put back what a worker had, where its numbers belong."""
        back = self._take_back(runs)
        self.waiting += count_jobs(back)
        self.levels.put_back(back)

    def suspect(self, runs: Iterable[Run], *, first: bool = False) -> None:
        """Put back what is to go out alone, behind others of its kind or ``first``."""
        suspects = list(runs)
        for run in suspects:
            run.alone = True
        back = self._take_back(suspects)
        self.waiting += count_jobs(back)
        (self.alone.extendleft if first else self.alone.extend)(back)

    def _take_back(self, runs: Iterable[Run]) -> list[Run]:
        back = list(runs)
        for run in back:
            self._expires(run.since, run.fate)
        return self.directed.put_back(self.keys.put_back(back))

    def next_alone(self) -> Run:
        """Take the next job that goes out alone."""
        run = self.alone.popleft()
        if len(run.bodies) > 1:
            self.alone.appendleft(run.cut(1, len(run.bodies)))
            run = run.cut(0, 1)
        return run

    def sift(self, spans: Ranges) -> list[Run]:
        """Take numbers out of wherever they wait."""
        found = self.levels.sift(spans) + sift(self.alone, spans)
        self.waiting -= count_jobs(found)
        return found + self.directed.sift(spans) + self.pauses.sift(spans) + self.keys.sift(spans)

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
        return earliest(self.pauses.deadline, self._recalled_until, self._expires_at)

    def wake(self, now: float) -> bool:
        """Put in front what has paused long enough, or was recalled and not taken; whether there was any."""
        back = self.pauses.due(now)
        if self._recalled_until is not None and now >= self._recalled_until:
            self._recalled_until = None
            back += self.directed.release()
        self.suspect(run for run in back if run.alone)
        self.to_front(run for run in back if not run.alone)
        return bool(back)

    def expired(self, now: float) -> list[Run]:
        """Take out what nobody is to begin any more."""
        if self._expires_at is None or now < self._expires_at:
            return []
        over: list[tuple[int, int]] = []
        next_one = inf
        for run in self.runs:
            if run.fate.ttl is not None:
                moment = run.since + run.fate.ttl
                if moment <= now:
                    over.append((run.first, run.last))
                else:
                    next_one = min(next_one, moment)
        self._expires_at = None if next_one == inf else max(next_one, now + EXPIRY_PAUSE)
        return self.sift(merged(over)) if over else []
