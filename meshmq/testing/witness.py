"""A witness who was there: what became of every job, whatever the nodes that had it say."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from meshmq.core.hands import Hand
from meshmq.message import Message
from meshmq.testing.ends import Ends, JobId


@dataclass(slots=True)
class Seen:
    """How often one job was executed without being flagged as a repeat, and flagged; and how often that ended well."""

    unflagged: int = 0
    flagged: int = 0
    finished: int = 0


class Witness:
    """Sees every execution of a run, and when a pusher forgets a job; outlives all nodes."""

    def __init__(self) -> None:
        #: By origin and number, as they are on the wire.
        self.jobs: dict[JobId, Seen] = {}
        self.ends = Ends()
        #: How many jobs their pushers have forgotten, because they were acked.
        self.acked = 0
        #: By pusher, queue and key: the jobs that are not over, in the order in which they were pushed.
        self._lines: dict[tuple[str, str, str], list[JobId]] = {}
        self._line_of: dict[JobId, list[JobId]] = {}

    def __repr__(self) -> str:
        return f"<Witness of {len(self.jobs)} jobs>"

    def pushes(self, pusher: str, queue: str, key: str, job: JobId) -> None:
        """See somebody push a job with a key."""
        line = self._lines.setdefault((pusher, queue, key), [])
        line.append(job)
        self._line_of[job] = line

    def comes_again(self, pusher: str, jobs: Collection[JobId]) -> None:
        """See what a pusher has that begins again: what was not in its journal goes before nothing any more."""
        for (whose, _, _), line in self._lines.items():
            if whose == pusher:
                for job in [job for job in line if job not in jobs]:
                    line.remove(job)
                    del self._line_of[job]

    def begins(self, message: Message) -> None:
        """See a worker begin with a job.

        Raises:
            AssertionError: it is the second time that nobody says so, or one of its key goes before and is not done.
        """
        job = message._delivery.identity(message._index)
        if (line := self._line_of.get(job)) is not None:
            while line and line[0] != job:
                before = self.jobs.get(line[0])
                assert before is not None, f"{message!r} begins, and one of its key that nobody ever had goes before"
                assert before.finished, f"{message!r} begins, and one of its key goes before and is not done"
                del self._line_of[line.pop(0)]
        seen = self.jobs.setdefault(job, Seen())
        if message.redelivered:
            seen.flagged += 1
        else:
            seen.unflagged += 1
            assert seen.unflagged == 1, f"{message!r} is executed twice without a flag"

    def finishes(self, hand: Hand, index: int) -> None:
        """See a worker be done with a job."""
        self.jobs.setdefault((hand.batch.origin, hand.batch.first + index), Seen()).finished += 1

    def given_up(self, jobs: Iterable[JobId]) -> None:
        """See a pusher give jobs up: dead letters, or too late; nobody of their keys waits for them."""
        for job in jobs:
            if (line := self._line_of.pop(job, None)) is not None:
                line.remove(job)

    def forgotten(self, queue: str, jobs: Iterable[JobId]) -> None:
        """See a pusher forget jobs, for they are acked.

        Raises:
            AssertionError: nobody has done one of them.
        """
        for job in jobs:
            seen = self.jobs.get(job)
            assert seen is not None, f"job {job[1]} of {queue!r} is acked, and nobody ever had it"
            assert seen.finished, f"job {job[1]} of {queue!r} is acked, and was not done"
            self.acked += 1
