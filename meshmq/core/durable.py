"""Durable jobs: those of an outbox that are in the node's journal, and come back from it when the node comes again.

One is on disk before anybody gets it, so that nothing is ever done that the journal does not know. What becomes of it
after is written behind, and nobody waits for that. A job that comes back may have been done before: it is flagged.

**A job that kills its own pusher** takes the count of its failures with it. So where failures count (``max_attempts``)
the journal knows what the node has in its own hands before it gets it. What it had when it ended comes back to go out
alone, as after the loss of any worker; and one that goes out alone has failed once more, unless it comes back.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from meshmq.core.endings import Endings
from meshmq.core.ledger import Ledger, Told
from meshmq.core.records import Bury, Claim, Failed, Keep, Letter, StoredJob, Taken
from meshmq.core.runs import Run, count_jobs
from meshmq.core.wants import Entry, Wants
from meshmq.fate import UNIQUE_WINDOW
from meshmq.names import counted
from meshmq.settings import Settings


class Durable(Endings):
    """What an outbox does with the journal, and where a job goes that is fresh or comes back from it."""

    def __init__(self, queue: str, origin: bytes, base: int, settings: Settings, ledger: Ledger | None = None) -> None:
        super().__init__(queue, origin, settings, ledger)
        self._next = self._base = base
        #: Who waits until jobs are on disk, by number; and whether some that did are to be told.
        self._entries: dict[int, list[Entry]] = {}
        self.recorded = False
        #: How many were never pushed, as their pushers see it, and of how many of them nobody was told yet; and how
        #: many came back from the journal.
        self.withdrawn = self.undone = self.restored = 0

    @property
    def durable(self) -> int:
        """How many jobs the journal has, too."""
        if self._ledger is None:
            return 0
        away = (run for route in self.routes.values() for run in (*route.flights, *route.held))
        return count_jobs(run for run in (*self.backlog.runs, *away) if run.fate.durable)

    def owed(self, *, served: bool) -> int:
        """How many jobs a node that leaves waits for, where the queue is ``served`` by somebody, or by nobody.

        Durable ones wait in the journal for better times: those that nobody would take now, and those that are to
        wait by themselves.
        """
        if self._ledger is None or not self.depth:
            return self.depth
        backlog = self.backlog
        resting = backlog.pauses.runs if served else backlog.runs
        return self.depth - count_jobs(run for run in resting if run.fate.durable and run.first not in backlog.unsafe)

    def _take_number(self) -> int:
        number, self._next = self._next, self._next + 1
        return number

    def _enter(self, run: Run, wants: Wants, due: float | None) -> None:
        """Have a fresh job written; it goes nowhere before it is on disk."""
        assert self._ledger is not None
        assert wants.entry is not None
        self.backlog.unsafe[run.first] = run
        self._entries[run.first] = [wants.entry]
        job = replace(self._stored(run, due=due, key=wants.key), unique=wants.unique)
        self._ledger.enter(Keep(job, wants.staged), partial(self._written, run, wants, due))

    def join(self, number: int, entry: Entry) -> None:
        """Wait until a job that is here is on disk."""
        if number in self._entries:
            self._entries[number].append(entry)
        else:
            entry.safe = True

    def _written(self, run: Run, wants: Wants, due: float | None, error: Exception | None, now: float) -> None:
        for entry in self._entries.pop(run.first, ()):
            entry.safe, entry.error = error is None, error
        self.recorded = True
        if self.backlog.unsafe.pop(run.first, None) is None:
            return  # whoever pushed it has given up, and it was struck out of the journal
        if error is None:
            if wants.unique is not None and self._ledger is not None:  # of a job that is not kept nothing is to stay
                self._ledger.enter(Claim(self.queue, wants.unique, run.since + wants.window))
            self.free += self._outputs.release(run.first)
            self._let_go(run, wants.key, due)
        else:
            self._undo(run, wants)

    def withdraw(self, number: int, wants: Wants) -> bool:
        """Forget a job that is not on disk yet, whose pusher waits no more; whether it was still there."""
        if number not in self.backlog.unsafe or len(self._entries[number]) > 1:
            return False
        run = self.backlog.unsafe.pop(number)
        self._strike(run)
        self._undo(run, wants)
        return True

    def _undo(self, run: Run, wants: Wants) -> None:
        """Forget a job that was never pushed, as its pusher sees it."""
        if wants.unique is not None:
            self.claims.free(wants.unique)
        self.withdrawn += 1
        self.undone += 1
        self.awaited.pop(run.first, None)
        self.depth -= 1
        self.size -= self._cargo.weight(run)
        self._cargo.drop(run)
        self.free += self._outputs.drop(run)

    def _let_go(self, run: Run, key: str | None, due: float | None) -> None:
        """Let a job go to whoever is to do it, at its moment."""
        if key is not None:
            self.backlog.add_keyed(run, key)
        elif due is not None:
            self.backlog.pause(run, due)
        elif run.alone:
            self.backlog.suspect([run])
        else:
            self.backlog.append(run)

    def _note_failure(self, run: Run, due: float | None) -> None:
        """Have the journal know how often a job has failed."""
        if self._ledger is not None and run.fate.durable:
            for origin, first, last in self._ids(run):
                for number in range(first, last + 1):
                    self._ledger.enter(Failed(origin, number, run.failures, due))

    # -- in the hands of this node ------------------------------------------------------------------

    def note_taken(self, run: Run, told: Told, *, lone: bool) -> bool:
        """Have it on disk that this node is given a run, if its failures count; whether that is to be waited for.

        One that goes alone (``lone``) has failed once more, should the node end while it has it.
        """
        if self._ledger is None or not run.fate.durable or run.fate.max_attempts is None:
            return False
        run.taken = True
        if lone:
            origin, number = self._outputs.id_of(run) or (self.origin, run.first)
            self._ledger.enter(Failed(origin, number, run.failures + 1, None))
        spans = list(self._ids(run))
        for place, (origin, first, last) in enumerate(spans, 1):
            self._ledger.enter(Taken(origin, first, last, taken=True), told if place == len(spans) else None)
        return True

    def note_back(self, runs: list[Run], lone: int) -> list[Run]:
        """Have the journal know that this node has jobs no more, whatever becomes of them now; returns them."""
        for run in runs:
            if run.taken and self._ledger is not None:
                run.taken = False
                if run.first == lone:
                    self._note_failure(run, None)
                for origin, first, last in self._ids(run):
                    self._ledger.enter(Taken(origin, first, last, taken=False))
        return runs

    # -- coming back -------------------------------------------------------------------------------

    def retry(self, number: int, now: float) -> None:
        """Give a dead letter another life: it goes out again, flagged as one that may have been run.

        Raises:
            KeyError: there is none of that number.
        """
        letter = self.dead.take(number)
        job = replace(letter.job, pushed=now, failures=0, due=None)
        if self._outputs.find(job.origin, job.number) is not None:
            return  # what it was made of was done again, and has made it again: it is on its way
        if self._ledger is not None and job.fate.durable:
            self._ledger.enter(Keep(job))
        else:
            self._strike_letter(letter)
        self.retried += 1
        self._let_go(self._revive(number, job, now), job.key, None)

    def restore(self, job: StoredJob, now: float) -> None:
        """Take a job back from the journal, with its old id."""
        most = job.fate.max_attempts
        if job.taken and most is not None and job.failures >= most and self._ledger is not None:
            reason = f"failed {counted(job.failures, 'time')}; the last: its node ended while it was at work on it"
            letter = Letter(replace(job, taken=False), reason, now)
            self._ledger.enter(Bury(letter))
            self.buried.append(reason)
            self.restore_letter(letter)
            return
        self.restored += 1
        pushed = min(job.pushed, now)  # somebody may have set the clock back since
        if job.unique is not None and not self.claims.left(job.unique, now):
            until = pushed + UNIQUE_WINDOW
            self.claims.take(job.unique, until, now)
            if self._ledger is not None:  # the kill came before the journal had it, and it outlives the job
                self._ledger.enter(Claim(self.queue, job.unique, until))
        due = job.due if job.due is not None and job.due > now else None
        run = self._revive(self._take_number(), job, pushed, job.failures)
        run.alone = job.taken
        self._let_go(run, job.key, due)

    def restore_letter(self, letter: Letter) -> None:
        """Take a dead letter back from the journal."""
        self.restored += 1
        self.died += 1
        for gone in self.dead.add(self._take_number(), letter):
            self._strike_letter(gone)
