"""An outbox: the pusher keeps every job of one queue here until a worker has confirmed it.

Jobs stand in *runs* of consecutive numbers. A run waits in the *backlog* (in order, alone because a worker
was lost while it may have been begun, or pausing after a nack), or is in flight on a *route* (one worker).
Delivery and guilt are counted apart: ``attempts`` counts deliveries that may have run, ``failures`` only what
speaks against the job itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from meshmq.codecs.base import Buffer
from meshmq.core.busy import BusyTime
from meshmq.core.cargo import weight
from meshmq.core.custody import Input, output_id
from meshmq.core.durable import Durable
from meshmq.core.ledger import Ledger
from meshmq.core.moments import earliest
from meshmq.core.pauses import backoff
from meshmq.core.routes import Route
from meshmq.core.runs import Run, count_jobs, merged, suspects
from meshmq.core.tray import TRAY_BYTES, TRAY_JOBS, Tray
from meshmq.core.wants import PLAIN, Wants
from meshmq.errors import NotUnique, WouldBlock
from meshmq.names import counted
from meshmq.settings import Settings
from meshmq.wire.fields import Ranges
from meshmq.wire.headers import Headers
from meshmq.wire.row import Row
from meshmq.wire.verdicts import Settle, Verdict


class Outbox(Durable):
    """All jobs of one queue that this node pushed and nobody has confirmed."""

    def __init__(
        self, queue: str, origin: bytes, base: int, settings: Settings, random: Random, ledger: Ledger | None = None
    ) -> None:
        super().__init__(queue, origin, base, settings, ledger)
        self._random = random
        self.tray: Tray[bytes] = Tray()
        self._moved = False
        self.returned = self.refused = self.overdue = 0
        #: When workers had jobs of ours.
        self.busy = BusyTime()

    def __repr__(self) -> str:
        return f"<Outbox {self.queue!r} {counted(self.depth, 'job')}, {self.depth - self.backlog.idle} in flight>"

    # -- in ----------------------------------------------------------------------------------------

    @property
    def pushed(self) -> int:
        """How many jobs were put in, in this life of the node."""
        return self._next - self._base - self.withdrawn - self.restored

    def add(
        self,
        body: bytes,
        buffers: Sequence[Buffer],
        headers: Headers | None,
        now: float,
        to: str | None = None,
        inputs: Sequence[Input] = (),
        wants: Wants = PLAIN,
    ) -> int:
        """Take a job, for one node alone where ``to`` names it; returns its number.

        One that was made of ``inputs`` takes its id from them. If it is here still, made once before, it stays.

        Raises:
            WouldBlock: the outbox is full.
            NotUnique: its pusher gave that id before.
        """
        row, size = Row.of([body]), len(body)
        if buffers:
            size += sum(map(len, buffers))
        if headers:
            size += weight(headers)
        settings = self._settings
        if self.depth and (self.depth >= settings.outbox_jobs or self.size + size > settings.outbox_bytes):
            raise WouldBlock
        attempts = 0
        if inputs:
            identity = output_id(inputs, self.queue)
            attempts = max(one.attempt for one in inputs) - 1
            if (known := self._outputs.find(*identity)) is not None:
                if wants.entry is None or self._outputs.awaited(known):  # else it is on disk: they wait no more
                    self._outputs.join(known, inputs)
                if wants.entry is not None:
                    self.join(known, wants.entry)
                return known
            self._outputs.add(self._next, *identity)
            self._outputs.join(self._next, inputs)
        if wants.unique is not None and (left := self.claims.left(wants.unique, now)) and not attempts:
            raise NotUnique(wants.unique, self.queue, left)  # what is made again is no repeat of somebody else's
        number = self._take_number()
        if buffers or headers:
            self._cargo.load(number, buffers, headers)
        if wants is PLAIN:
            self.backlog.add(number, row, now, to, attempts)
        else:
            self._add_specially(number, row, now, to, attempts, wants)
        self.depth += 1
        self.size += size
        return number

    def _add_specially(self, number: int, row: Row, now: float, to: str | None, attempts: int, wants: Wants) -> None:
        if wants.unique is not None:
            self.claims.take(wants.unique, now + wants.window, now)
        if wants.awaited is not None:
            self.awaited[number] = wants.awaited
        due = now + wants.delay if wants.delay else None
        run = Run(number, row, now, attempts, 0, wants.fate)
        run.to = to
        if wants.fate.durable:
            self._enter(run, wants, due)
        elif wants.key is None and due is None:
            self.backlog.add(number, row, now, to, attempts, wants.fate)
        else:
            self._let_go(run, wants.key, due)

    def clear_tray(self, now: float) -> bool:
        """Take in what lies on the tray; whether there was anything."""
        if not self.tray.jobs:
            return False
        row = Row.of(self.tray.take())
        number, self._next = self._next, self._next + len(row)
        self.backlog.add(number, row, now)
        self.depth += len(row)
        self.size += row.size
        return True

    def set_tray(self, now: float, *, laid: bool = True) -> float | None:
        """Say how much may be laid on the tray, nothing while the line is idle; returns when to clear it."""
        idle = not laid or self.depth == self.waiting < TRAY_JOBS
        full = self.size + TRAY_JOBS * TRAY_BYTES >= self._settings.outbox_bytes
        self.tray.set(0 if idle or full else self._settings.outbox_jobs - self.depth, now)
        if self.tray.room:
            return self.tray.due
        return now if self.clear_tray(now) else None  # laid there while there still was room

    @property
    def working(self) -> list[bytes]:
        """The workers that have jobs of ours."""
        return [route.peer for route in self.routes.values() if route.in_flight or route.held]

    # -- answers -----------------------------------------------------------------------------------

    def grant(self, peer: bytes, jobs: int, size: int) -> None:
        """Take the limits a worker grants; they are absolute and may also sink."""
        route = self.routes.get(peer)
        if route is not None:
            if route.onward and jobs < route.jobs_limit:
                route.told_backlog = 0  # a device takes back what is not used, and forgets what waits: tell it again
            route.jobs_limit, route.bytes_limit = jobs, size

    def acks(self, peer: bytes, done: Iterable[tuple[bytes, int, Ranges]], now: float) -> int:
        """Take acks as they come: origin, the last job begun, ranges. Returns how many were new."""
        begun, spans = -1, list[tuple[int, int]]()
        for origin, last, ranges in done:
            spans += self._own(origin, ranges)
            begun = next((own for own, _ in self._own(origin, [(last, last)])), begun) if last >= 0 else begun
        # All in one go: what is in flight is looked at once, however many groups there are.
        return self.settle(peer, begun, spans, now) if spans or begun >= 0 else 0

    def _own(self, origin: bytes, ranges: Ranges) -> Ranges:
        """Return the ranges of an origin by this outbox's numbers; none where the origin is none of its."""
        return ranges if origin == self.origin else list(self._outputs.own(origin, ranges))

    def settle(self, peer: bytes, begun: int, ranges: Ranges, now: float) -> int:
        """Take acks; an ack of any delivery settles the job. Returns how many were new."""
        route = self.routes.get(peer)
        if route is not None and begun >= 0:
            route.begun = begun
        spans = merged(ranges)
        found = route.land(spans) if route is not None else []
        if self._moved and count_jobs(found) < sum(last - first + 1 for first, last in spans):
            found += self._gather(spans)
        self._done(found, now)
        return count_jobs(found)

    def _gather(self, spans: Ranges) -> list[Run]:
        """Take jobs out of wherever they have come to stand since they were delivered."""
        found: list[Run] = []
        for route in self.routes.values():
            found += route.land(spans)
        return found + self.backlog.sift(spans)

    def give_back(self, peer: bytes, said: Settle, now: float) -> None:
        """Take back jobs that a living worker did not do."""
        verdict = said.verdict
        route, ranges = self.routes.get(peer), self._own(said.origin, said.ranges)
        if route is None or not ranges:
            return
        lone = route.lone
        if verdict is Verdict.HELD:
            self.note_back(route.hold(merged(ranges)), lone)
            return
        back = self.note_back(route.land(merged(ranges)), lone)
        self._moved = True
        for run in back:
            run.release()
            run.attempts += verdict not in (Verdict.RETURNED, Verdict.EXPIRED)
        if verdict is Verdict.REJECTED:
            self.rejected += count_jobs(back)
            for run in back:
                self._bury(run, said.reason or "it was rejected", now)
        elif verdict is Verdict.EXPIRED:
            self._expire(back)
        elif verdict in (Verdict.REFUSED, Verdict.OVERDUE):
            count = count_jobs(back)
            self.refused += count if verdict is Verdict.REFUSED else 0
            self.overdue += count if verdict is Verdict.OVERDUE else 0
            for run in back:
                for index in range(len(run.bodies)):
                    failed = run.cut(index, index + 1)
                    failed.alone = failed.first == lone
                    self._fail(failed, said, now)
        elif verdict in (Verdict.RETURNED, Verdict.LEFT):
            count = count_jobs(back)
            self.returned += count
            # What one was suspected of is not disproved.
            self.backlog.suspect([run for run in back if run.first == lone], first=True)
            self.backlog.to_front(run for run in back if run.first != lone)
        elif verdict in (Verdict.LOST, Verdict.BLAMED):
            self._suspect(back, now, blamed=back if verdict is Verdict.BLAMED else ())

    def _fail(self, run: Run, said: Settle, now: float) -> None:
        """Let a job that has failed pause, ever longer; once it has failed often enough it is a dead letter."""
        run.failures += 1
        reason = said.reason or ("its lease ran out" if said.verdict is Verdict.OVERDUE else "it was refused")
        if self._has_failed(run, reason, now):
            return
        delay = said.delay
        if delay is None:
            delay = backoff(run.failures, run.fate, self._settings, self._random)
        self._note_failure(run, now + delay)
        self.backlog.pause(run, now + delay)

    def _suspect(self, back: Iterable[Run], now: float, *, blamed: Iterable[Run]) -> None:
        """Put back what was with a worker that is lost; those that were begun there have failed once more."""
        for run in blamed:
            run.failures += 1
            self._note_failure(run, None)
        self.backlog.suspect([run for run in back if not self._has_failed(run, "its worker was lost", now)])

    def placed(self, peer: bytes, worker: bytes, origin: bytes, ranges: Ranges) -> None:
        """Learn from a device which worker has some jobs."""
        route = self.routes.get(peer)
        if route is not None and route.onward:
            route.place(merged(self._own(origin, ranges)), worker)

    def wake(self, now: float) -> bool:
        """Move what has waited long enough back in front; whether there was any."""
        return self.backlog.wake(now) or self.owners.due(now)

    @property
    def deadline(self) -> float | None:
        """When ``wake`` has something to do."""
        return earliest(self.backlog.deadline, self.owners.deadline)

    def open(self, peer: bytes, *, onward: bool = False) -> Route:
        """Return the route to a worker, or ``onward`` to a device, made anew where there is none."""
        route = self.routes.get(peer)
        if route is None:
            route = self.routes[peer] = Route(peer, onward=onward)
        return route

    def lose(self, peer: bytes, now: float, *, clean: bool) -> int:
        """Take back what was with a worker whose session ended; returns how many jobs.

        ``begun`` is only a lower bound, for what a dying process said last may be lost with it. So
        everything that was with it goes out again *alone*: the job that killed it is found at its
        second delivery, and no neighbour is delivered a third time because of it. The job known to be
        begun is blamed, and one that was alone with the worker: what kills at once kills before anybody is told that
        it was begun. After a clean goodbye nobody is, and never one that was handled.
        What was with a device goes first to those who have it, as far as they are known.
        """
        route = self.routes.pop(peer, None)
        if route is None or not (route.flights or route.held):
            return 0
        self._moved = True
        back, held = list(route.flights), list(route.held)
        for run in back + held:
            run.attempts += 1
            if not route.onward:
                run.release()
        if route.onward:
            self.backlog.recall(back + held, now)
        elif clean:
            self.backlog.to_front(back + held)
        else:
            self.backlog.to_front(held)
            pieces = suspects(back, route.begun)
            blamed = [run for run in pieces if run.first <= route.begun <= run.last or run.first == route.lone]
            self._suspect(pieces, now, blamed=blamed)
        return count_jobs(back) + count_jobs(held)
