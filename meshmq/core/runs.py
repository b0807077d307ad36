"""Runs: jobs with consecutive numbers that share one history, and ways to cut numbers out of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from typing import Final

from meshmq.fate import ORDINARY, Fate
from meshmq.wire.fields import Ranges
from meshmq.wire.row import Row

RUN_JOBS: Final = 2_048
#: Jobs of one run count as pushed in one moment; without this a full outbox's one run would grow for ever.
RUN_SPAN: Final = 0.005


class Run:
    """Jobs with consecutive numbers and one history."""

    __slots__ = ("alone", "at", "attempts", "bodies", "failures", "fate", "first", "since", "taken", "to")

    def __init__(
        self,
        first: int,
        bodies: Row,
        since: float,
        attempts: int = 0,
        failures: int = 0,
        fate: Fate = ORDINARY,
    ) -> None:
        self.first, self.bodies, self.since = first, bodies, since
        self.attempts, self.failures, self.fate = attempts, failures, fate
        #: Whether it was suspected of the loss of a worker when it was refused: then it goes on alone.
        self.alone = False
        #: The name, or the id in hex, of the only node that is to do it.
        self.to: str | None = None
        #: The worker that has it, by the receipt of a device; the device gone, it is for this worker alone a while.
        self.at: bytes | None = None
        #: Whether the journal knows that this node itself has it in its hands.
        self.taken = False

    @property
    def last(self) -> int:
        """The highest number in the run."""
        return self.first + len(self.bodies) - 1

    def cut(self, start: int, end: int) -> Run:
        """Return a part of the run, by index."""
        part = Run(self.first + start, self.bodies.cut(start, end), self.since, self.attempts, self.failures, self.fate)
        part.to, part.at, part.alone, part.taken = self.to, self.at, self.alone, self.taken
        return part

    def recall(self) -> None:
        """Have it go to the worker that has it, if that is known: there it is known, too, and not done again."""
        if self.at is not None:
            self.to = self.at.hex()

    def release(self) -> None:
        """Have it go to anybody again, whoever has had it; what its pusher meant for one node stays for it."""
        if self.at is not None:
            self.to = self.at = None

    def join(self, other: Run, now: float) -> bool:
        """Take in the jobs of a run that continues this one, has its history and is about as old; whether it is so."""
        apart, age = abs(other.since - self.since), now - max(other.since, self.since)
        if (
            self.first + len(self.bodies) != other.first
            or len(self.bodies) + len(other.bodies) > RUN_JOBS
            or (self.attempts, self.failures) != (other.attempts, other.failures)
            or (self.to, self.at) != (other.to, other.at)
            or self.fate is not other.fate
            or apart > max(RUN_SPAN, age / 100)  # so wrong may be the age of what has waited
        ):
            return False
        self.bodies.extend(other.bodies)
        self.since = min(self.since, other.since)
        return True


def count_jobs(runs: Iterable[Run]) -> int:
    """Return how many jobs runs hold together."""
    return sum(len(run.bodies) for run in runs)


def lengthen(
    runs: deque[Run],
    number: int,
    row: Row,
    now: float,
    to: str | None = None,
    attempts: int = 0,
    fate: Fate = ORDINARY,
) -> None:
    """Append fresh jobs, to the last run where they continue it and are about as old.

    Some are fresh here, and yet not delivered for the first time: what is made of a job that comes again.
    """
    tail = runs[-1] if runs else None
    alike = tail is not None and tail.attempts == attempts and not tail.failures and tail.at is None
    if tail is not None and alike and tail.fate is fate and tail.last + 1 == number and now - tail.since < RUN_SPAN:
        joined = min(len(row), RUN_JOBS - len(tail.bodies))
        if joined == len(row):
            tail.bodies.extend(row)
            return
        if joined:
            tail.bodies.extend(row.cut(0, joined))
            number, row = number + joined, row.cut(joined, len(row))
    for start in range(0, len(row), RUN_JOBS):
        part = row if len(row) <= RUN_JOBS else row.cut(start, min(start + RUN_JOBS, len(row)))
        runs.append(Run(number + start, part, now, attempts, 0, fate))
        runs[-1].to = to


def put_back(runs: deque[Run], back: list[Run]) -> None:
    """Put runs where their numbers belong, near the front: what a worker gives back comes in several parts."""
    last = max((run.first for run in back), default=-1)
    while runs and runs[0].first < last:
        back.append(runs.popleft())
    back.sort(key=lambda run: run.first, reverse=True)
    runs.extendleft(back)


def suspects(back: Iterable[Run], begun: int) -> list[Run]:
    """Return runs in order, with the job that was last begun cut out."""
    pieces: list[Run] = []
    for run in sorted(back, key=lambda run: run.first):
        if not run.first <= begun <= run.last:
            pieces.append(run)
            continue
        index = begun - run.first
        pieces += (run.cut(0, index), run.cut(index, index + 1), run.cut(index + 1, len(run.bodies)))
    return [piece for piece in pieces if piece.bodies]


def sift(runs: deque[Run], spans: Ranges) -> list[Run]:
    """Take the numbers of all ``spans``, which are sorted and apart, out of ``runs``; looks no further than it must."""
    if not spans:
        return []
    lowest, highest = spans[0][0], spans[-1][1]
    missing = sum(last - first + 1 for first, last in spans)
    firsts, lasts = [first for first, _ in spans], [last for _, last in spans]
    taken: list[Run] = []
    left: list[Run] = []
    before = looked = 0
    for run in runs:  # mostly what is meant stands in front
        if not missing:
            break
        last_of_run = run.first + len(run.bodies) - 1
        if not looked and (run.first > highest or last_of_run < lowest):
            before += 1
            continue
        looked += 1
        place = 0
        for first, last in spans[bisect_left(lasts, run.first) : bisect_right(firsts, last_of_run)]:
            start, end = max(first - run.first, 0), min(last - run.first + 1, len(run.bodies))
            if start > place:
                left.append(run.cut(place, start))
            taken.append(run.cut(start, end))
            missing -= end - start
            place = end
        if place < len(run.bodies):
            left.append(run.cut(place, len(run.bodies)) if place else run)
    if taken:
        runs.rotate(-before)
        for _ in range(looked):
            runs.popleft()
        runs.extendleft(reversed(left))
        runs.rotate(before)
    return taken


def merged(ranges: Ranges) -> list[tuple[int, int]]:
    """Return the same numbers as spans that are sorted and apart."""
    if len(ranges) == 1:
        return list(ranges)
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
