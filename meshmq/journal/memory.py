"""A store in memory: it outlives its journals, not the process. For tests, and for simulated restarts."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import islice

from meshmq.core.records import (
    Bury,
    Change,
    Claim,
    Done,
    Failed,
    Forget,
    Keep,
    Letter,
    Recovered,
    SetAside,
    Staged,
    StoredJob,
    StoredMessage,
    Taken,
    Tell,
)


class MemoryStore:
    """Keeps what it is given for as long as somebody holds it; give it to one journal after another."""

    name = "memory"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._jobs: dict[tuple[bytes, int], StoredJob | Letter] = {}
        self._claims: dict[tuple[str, str], float] = {}
        self._messages: dict[str, dict[tuple[int, int], StoredMessage]] = {}
        self._heads: dict[str, tuple[int, int]] = {}
        self._staged: dict[int, Staged] = {}
        #: Why staged rows were set aside.
        self.aside: dict[int, str] = {}
        self._rows = self._given = 0

    def stage(self, staged: Staged) -> int:
        """Leave a job as a user's own transaction would; returns its row."""
        self._rows += 1
        self._staged[self._rows] = replace(staged, row=self._rows)
        return self._rows

    def withdraw(self, row: int) -> None:
        """Take a staged row back."""
        self._staged.pop(row, None)

    def recover(self) -> Recovered:
        """Return what is kept."""
        self._given = 0
        now = self._clock()
        return Recovered(
            jobs=[job for job in self._jobs.values() if isinstance(job, StoredJob)],
            letters=[letter for letter in self._jobs.values() if isinstance(letter, Letter)],
            claims={key: until for key, until in self._claims.items() if until > now},
            messages=[kept[number] for _, kept in sorted(self._messages.items()) for number in sorted(kept)],
            heads=dict(self._heads),
        )

    def commit(self, changes: Sequence[Change]) -> Collection[int]:
        """Make all changes."""
        return {row for change in changes if (row := self._make(change)) is not None}

    def has_changed(self) -> bool:
        """Whether rows were staged that were not given yet."""
        return self._rows > self._given

    def staged(self, most: int) -> Sequence[Staged]:
        """Return staged rows that were not returned before."""
        rows = list(islice((staged for row, staged in self._staged.items() if row > self._given), most))
        self._given = rows[-1].row if rows else self._rows
        return rows

    def close(self) -> None:
        """Keep everything, for the next journal."""

    def _make(self, change: Change) -> int | None:
        if isinstance(change, Keep):
            if change.staged is not None and self._staged.pop(change.staged, None) is None:
                return change.staged
            self._put(change.job, change.job)
        elif isinstance(change, Bury):
            self._put(change.letter.job, change.letter)
        elif isinstance(change, Done):
            for key in self._within(change):
                del self._jobs[key]
        elif isinstance(change, Failed):
            key = change.origin, change.number
            if isinstance(job := self._jobs.get(key), StoredJob):
                self._jobs[key] = replace(job, failures=change.failures, due=change.due)
        elif isinstance(change, Taken):
            for key in self._within(change):
                if isinstance(job := self._jobs[key], StoredJob):
                    self._jobs[key] = replace(job, taken=change.taken)
        elif isinstance(change, Claim):
            self._claims[change.queue, change.unique] = change.until
            if change.until <= self._clock():
                del self._claims[change.queue, change.unique]
        elif isinstance(change, SetAside):
            if self._staged.pop(change.staged, None):
                self.aside[change.staged] = change.reason
        elif isinstance(change, Tell):
            message = change.message
            epoch, seq = self._heads.get(message.topic, (message.epoch, 0))
            self._heads[message.topic] = message.epoch, max(seq if epoch == message.epoch else 0, message.seq)
            self._messages.setdefault(message.topic, {})[message.epoch, message.seq] = message
        else:
            self._forget(change)
        return None

    def _put(self, job: StoredJob, kept: StoredJob | Letter) -> None:
        self._jobs.pop((job.origin, job.number), None)  # what is replaced goes to the end
        self._jobs[job.origin, job.number] = kept

    def _within(self, span: Done | Taken) -> list[tuple[bytes, int]]:
        """Return the ids in a range that are here."""
        if span.last - span.first < len(self._jobs):
            ids = ((span.origin, number) for number in range(span.first, span.last + 1))
            return [key for key in ids if key in self._jobs]
        return [key for key in self._jobs if key[0] == span.origin and span.first <= key[1] <= span.last]  # it is wide

    def _forget(self, forget: Forget) -> None:
        epoch, _ = self._heads.get(forget.topic, (0, 0))
        kept = self._messages.get(forget.topic, {})
        self._messages[forget.topic] = {
            number: message for number, message in kept.items() if number[0] == epoch and number[1] >= forget.below
        }
