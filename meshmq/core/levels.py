"""Levels: the runs of an outbox that may go to anybody, by priority; of what waits, the highest goes first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from meshmq.core.runs import Run, count_jobs, lengthen, put_back, sift
from meshmq.fate import Fate
from meshmq.wire.fields import Ranges
from meshmq.wire.row import Row


class Levels:
    """Runs in order, one line of them for each priority that is in use."""

    def __init__(self) -> None:
        #: The highest priority first. Most outboxes have one line for their life.
        self._lines: dict[int, deque[Run]] = {}

    @property
    def first(self) -> deque[Run]:
        """The line that goes next; an empty one where nothing waits."""
        for line in self._lines.values():
            if line:
                return line
        return self._line(0)

    @property
    def runs(self) -> list[Run]:
        """All that wait."""
        return [run for line in self._lines.values() for run in line]

    @property
    def waiting(self) -> dict[int, tuple[int, float]]:
        """How many jobs wait at each priority that has some, and since when the first of them."""
        return {
            priority: (count_jobs(line), min(run.since for run in line))
            for priority, line in self._lines.items()
            if line
        }

    def add(self, number: int, row: Row, now: float, attempts: int, fate: Fate) -> None:
        """Take fresh jobs with consecutive numbers."""
        lengthen(self._line(fate.priority), number, row, now, None, attempts, fate)

    def append(self, run: Run) -> None:
        """Take a run, behind others of its priority."""
        self._line(run.fate.priority).append(run)

    def put_back(self, back: Iterable[Run]) -> None:
        """Put runs where their numbers belong."""
        by_priority: dict[int, list[Run]] = {}
        for run in back:
            by_priority.setdefault(run.fate.priority, []).append(run)
        for priority, runs in by_priority.items():
            put_back(self._line(priority), runs)

    def sift(self, spans: Ranges) -> list[Run]:
        """Take out the numbers of all ``spans``, which are sorted and apart."""
        return [taken for line in self._lines.values() for taken in sift(line, spans)]

    def _line(self, priority: int) -> deque[Run]:
        line = self._lines.get(priority)
        if line is None:
            line = self._lines[priority] = deque()
            self._lines = dict(sorted(self._lines.items(), reverse=True))
        return line
