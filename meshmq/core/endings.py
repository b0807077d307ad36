"""The ends of the jobs of one outbox: done, expired, or dead letters; and what each end lets go of."""

from __future__ import annotations

from collections.abc import Iterable

from meshmq.core.claims import Claims
from meshmq.core.custody import Input
from meshmq.core.dead import Dead
from meshmq.core.dispatch import Dispatch
from meshmq.core.records import Letter, StoredJob
from meshmq.core.runs import Run
from meshmq.core.wants import Awaited, Outcome
from meshmq.settings import Settings


class Endings(Dispatch):
    """What an outbox knows of how jobs end."""

    def __init__(self, queue: str, origin: bytes, settings: Settings) -> None:
        super().__init__(queue, origin)
        self._settings = settings
        self.dead = Dead(settings.dead_jobs, settings.dead_bytes)
        self.claims = Claims(settings.unique_ids)
        #: Inputs whose last output was settled, for whoever confirms them.
        self.free: list[Input] = []
        self.awaited: dict[int, Awaited] = {}
        #: How many of those have ended that nobody was told of yet; and why how many have become dead letters.
        self.ended = 0
        self.buried: list[str] = []
        self.depth = self.size = 0
        self.acked = self.expired = self.died = self.retried = self.unreadable = 0
        self.waited = 0.0

    def _done(self, runs: Iterable[Run], now: float) -> None:
        for run in runs:
            self.acked += len(run.bodies)
            self.waited += (now - run.since) * len(run.bodies)
            self._forget(run, "done")

    def expire(self, now: float) -> int:
        """End what nobody is to begin any more; returns how many jobs."""
        return self._expire(self.backlog.expired(now))

    def _expire(self, runs: Iterable[Run]) -> int:
        count = 0
        for run in runs:
            count += len(run.bodies)
            self._forget(run, "expired")
        self.expired += count
        return count

    def _bury(self, run: Run, reason: str, now: float) -> None:
        """Make dead letters of a run."""
        for index in range(len(run.bodies)):
            one = run.cut(index, index + 1)
            self.dead.add(one.first, Letter(self._stored(one), reason, now))
            self.died += 1
            self.buried.append(reason)
            self._forget(one, "dead", reason)

    def _stored(self, run: Run) -> StoredJob:
        """Return the only job of a run as it is kept when it is no part of an outbox."""
        origin, number = self._outputs.id_of(run) or (self.origin, run.first)
        return StoredJob(
            queue=self.queue,
            origin=origin,
            number=number,
            body=run.bodies[0],
            pushed=run.since,
            buffers=self._cargo.buffers.get(run.first, ()),
            headers=self._cargo.headers.get(run.first),
            fate=run.fate,
            to=run.to if run.first not in self.backlog.keys.of else None,
            key=self.backlog.keys.of.get(run.first),
            failures=run.failures,
        )

    def _forget(self, run: Run, outcome: Outcome, reason: str = "") -> None:
        self.depth -= len(run.bodies)
        self.size -= self._cargo.weight(run)
        self._cargo.drop(run)
        self.free += self._outputs.drop(run)
        if self.backlog.keys.of:
            for number in range(run.first, run.last + 1):
                self.backlog.keys.ended(number)
        if self.awaited:
            for number in range(run.first, run.last + 1):
                awaited = self.awaited.pop(number, None)
                if awaited is not None:
                    awaited.outcome, awaited.reason = outcome, reason
                    self.ended += 1

    # -- dead letters ------------------------------------------------------------------------------

    def retry(self, number: int, now: float) -> None:
        """Give a dead letter another life: it goes out again, flagged as one that may have been run.

        Raises:
            KeyError: there is none of that number.
        """
        job = self.dead.take(number).job
        run = Run(number, [job.body], now, 1, 0, job.fate)
        run.to = job.to
        self._cargo.load(number, job.buffers, job.headers)
        if (job.origin, job.number) != (self.origin, number):
            self._outputs.add(number, job.origin, job.number)
        self.depth += 1
        self.size += self._cargo.weight(run)
        self.retried += 1
        if job.key is not None:
            self.backlog.add_keyed(run, job.key)
        else:
            self.backlog.to_front([run])
