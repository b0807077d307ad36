"""The ends of the jobs of one outbox: done, expired, or dead letters; and what each end lets go of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshmq.core.claims import Claims
from meshmq.core.custody import Input
from meshmq.core.dead import Dead
from meshmq.core.dispatch import Dispatch
from meshmq.core.ledger import Ledger
from meshmq.core.records import Bury, Done, Letter, StoredJob
from meshmq.core.runs import Run
from meshmq.core.wants import Awaited, Outcome
from meshmq.names import counted
from meshmq.settings import Settings
from meshmq.wire.row import Row


class Endings(Dispatch):
    """What an outbox knows of how jobs end."""

    def __init__(self, queue: str, origin: bytes, settings: Settings, ledger: Ledger | None = None) -> None:
        super().__init__(queue, origin)
        self._settings, self._ledger = settings, ledger
        self.dead = Dead(settings.dead_jobs, settings.dead_bytes)
        self.claims = Claims(settings.unique_ids)
        #: Inputs whose last output was settled, for whoever confirms them.
        self.free: list[Input] = []
        self.awaited: dict[int, Awaited] = {}
        #: How many of those have ended that nobody was told of yet; and why how many have become dead letters.
        self.ended = 0
        self.buried: list[str] = []
        self.depth = self.size = 0
        self.acked = self.expired = self.died = self.retried = self.rejected = 0
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
            letter = Letter(self._stored(one), reason, now)
            if self._ledger is not None:
                self._ledger.enter(Bury(letter))
            for gone in self.dead.add(one.first, letter):
                self._strike_letter(gone)
            self.died += 1
            self.buried.append(reason)
            self._forget(one, "dead", reason)

    def _has_failed(self, run: Run, reason: str, now: float) -> bool:
        most = run.fate.max_attempts
        if most is None or run.failures < most:
            return False
        self._bury(run, f"failed {counted(run.failures, 'time')}; the last: {reason}", now)
        return True

    def _stored(self, run: Run, *, due: float | None = None, key: str | None = None) -> StoredJob:
        """Return the only job of a run as it is kept where there is no outbox."""
        origin, number = self._outputs.id_of(run) or (self.origin, run.first)
        key = key if key is not None else self.backlog.keys.of.get(run.first)
        return StoredJob(
            queue=self.queue,
            origin=origin,
            number=number,
            body=next(iter(run.bodies)),
            pushed=run.since,
            buffers=self._cargo.buffers.get(run.first, ()),
            headers=self._cargo.headers.get(run.first),
            fate=run.fate,
            to=run.to if key is None else None,
            key=key,
            due=due,
            failures=run.failures,
        )

    def _forget(self, run: Run, outcome: Outcome, reason: str = "") -> None:
        if outcome != "dead":
            self._strike(run)
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

    def _strike(self, run: Run) -> None:
        """Have the journal forget jobs."""
        if self._ledger is not None and run.fate.durable:
            for origin, first, last in self._ids(run):
                self._ledger.enter(Done(origin, first, last))

    def _ids(self, run: Run) -> Iterator[tuple[bytes, int, int]]:
        """Yield the ids of a run as origin, first and last number."""
        start = 0
        while start < len(run.bodies):
            part = run.cut(start, len(run.bodies))
            count = self._outputs.fitting(part, len(part.bodies))
            origin, first = self._outputs.id_of(part) or (self.origin, part.first)
            yield origin, first, first + count - 1
            start += count

    # -- dead letters ------------------------------------------------------------------------------

    def drop(self, number: int) -> None:
        """Forget a dead letter.

        Raises:
            KeyError: there is none of that number.
        """
        self._strike_letter(self.dead.take(number))

    def _strike_letter(self, letter: Letter) -> None:
        if self._ledger is not None:
            self._ledger.enter(Done(letter.job.origin, letter.job.number, letter.job.number))

    def _revive(self, number: int, job: StoredJob, since: float, failures: int = 0) -> Run:
        """Take a job in that was there before, flagged; returns its run, which is to go somewhere."""
        run = Run(number, Row.of([job.body]), since, 1, failures, job.fate)
        run.to = job.to
        self._cargo.load(number, job.buffers, job.headers)
        if (job.origin, job.number) != (self.origin, number):
            self._outputs.add(number, job.origin, job.number)
        self.depth += 1
        self.size += self._cargo.weight(run)
        return run
