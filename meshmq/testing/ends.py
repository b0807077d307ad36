"""What a witness knows of how jobs are to end, and holds their pushers to: once, for a reason, and not before its time.

It is of jobs whose pushers said more of them than nothing. Moments are the simulation's, and those of a pusher's own
clock or, where they outlive it, of the clock on its wall.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from meshmq.core.records import Letter, StoredJob
from meshmq.core.wants import Wants
from meshmq.names import counted

#: By origin and number, as on the wire.
JobId = tuple[bytes, int]
#: Clocks round.
ROUNDING: Final = 1e-3


@dataclass(slots=True)
class Life:
    """What is known of one job."""

    pusher: str
    wants: Wants
    #: Nobody is to be given it earlier, by its pusher's clock; and what stands for that in the journal.
    due: float = 0.0
    due_by_wall: float = 0.0
    #: When it failed.
    failures: list[float] = field(default_factory=list)
    #: Since when it is a dead letter.
    died: float | None = None


class Ends:
    """The lives of jobs; outlives all nodes."""

    def __init__(self) -> None:
        self.lives: dict[JobId, Life] = {}

    def __repr__(self) -> str:
        return f"<Ends of {counted(len(self.lives), 'job')}>"

    def begins(self, job: JobId, pusher: str, wants: Wants, now: float, to_wall: float) -> None:
        """See that a job is pushed."""
        life = self.lives[job] = Life(pusher, wants)
        if wants.delay:
            life.due, life.due_by_wall = now + wants.delay, now + wants.delay + to_wall

    def sent(self, jobs: Iterable[JobId], now: float) -> None:
        """See jobs go to a worker.

        Raises:
            AssertionError: it is too early, or too often.
        """
        for job in jobs:
            if (life := self.lives.get(job)) is None:
                continue
            early, most = life.due - now, life.wants.fate.max_attempts
            assert early <= ROUNDING, f"a job goes out {early:.3f} s before its time"
            assert most is None or len(life.failures) < most, f"a job goes out after {most} failures, which are all"

    def failed(self, job: JobId, moment: float) -> None:
        """See a pusher learn that a job has failed."""
        if (life := self.lives.get(job)) is not None:
            life.failures.append(moment)

    def pauses(self, job: JobId, due: float) -> None:
        """See a pusher put a job off."""
        if (life := self.lives.get(job)) is not None:
            life.due = due

    def buried(self, job: JobId, moment: float, *, unreadable: bool) -> None:
        """See a job become a dead letter.

        Raises:
            AssertionError: it has not failed often enough.
        """
        if (life := self.lives.get(job)) is None:
            return
        life.died = moment
        most, failures = life.wants.fate.max_attempts, len(life.failures)
        assert unreadable or (most is not None and failures >= most), f"a job is dead after {failures} of {most}"

    def expired(self, job: JobId) -> None:
        """See a job expire.

        Raises:
            AssertionError: it never does.
        """
        life = self.lives.get(job)
        assert life is not None, "a job without a ttl expires"
        assert life.wants.fate.ttl is not None, "a job without a ttl expires"

    def revived(self, job: JobId) -> None:
        """See somebody try a dead letter again, or drop it."""
        if (life := self.lives.get(job)) is not None:
            life.died, life.due = None, 0.0
            life.failures.clear()

    def crashed(self, pusher: str, kept: float) -> None:
        """See a pusher die whose journal has all that happened before ``kept``, and of the rest nobody knows."""
        for life in self.lives.values():
            if life.pusher == pusher:
                life.failures = [moment for moment in life.failures if moment < kept]
                life.due = 0.0
                if life.died is not None and life.died >= kept:
                    life.died = None

    def restored(self, job: StoredJob, to_wall: float) -> None:
        """See a job come back from a journal.

        Raises:
            AssertionError: the journal has forgotten how often it failed, or that it is dead.
        """
        life = self.lives.get((job.origin, job.number))
        if life is None:
            return
        assert life.died is None, "a dead letter comes back as a job that is to be done"
        told, known = job.failures, len(life.failures)
        assert told >= known, f"a job that has failed {counted(known, 'time')} comes back with {told}"
        life.failures += [0.0] * (told - known)  # that it was written is news
        life.due = life.due_by_wall - to_wall

    def recovered(self, pusher: str, letters: Iterable[Letter]) -> None:
        """See which dead letters a pusher has when it comes again.

        Raises:
            AssertionError: one is missing.
        """
        here = {(letter.job.origin, letter.job.number) for letter in letters}
        for job, life in self.lives.items():
            if life.pusher == pusher and life.wants.fate.durable and life.died is not None:
                assert job in here, "a dead letter is lost that was in the journal"
