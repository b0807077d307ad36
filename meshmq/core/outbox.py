"""An outbox: the pusher keeps every job of one queue here until a worker has confirmed it.

Jobs stand in *runs* of consecutive numbers. A run waits in the *backlog* (in order, alone because a worker
was lost while it may have been begun, or pausing after a nack), or is in flight on a *route* (one worker).
Delivery and guilt are counted apart: ``attempts`` counts deliveries that may have run, ``failures`` only what
speaks against the job itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Final

from meshmq.core.backlog import Backlog
from meshmq.core.busy import BusyTime
from meshmq.core.cargo import Cargo, weight
from meshmq.core.routes import Route, choose
from meshmq.core.runs import Run, count_jobs, merged, suspects
from meshmq.core.tray import TRAY_BYTES, TRAY_JOBS, Tray
from meshmq.errors import WouldBlock
from meshmq.names import counted
from meshmq.settings import Settings
from meshmq.wire.batches import Headers, pack_batch
from meshmq.wire.fields import Ranges
from meshmq.wire.frames import Verdict

#: A worker's window is about 100 ms of its work; so many pieces of it are 5 ms.
WINDOW_PIECES: Final = 20


class Outbox:
    """All jobs of one queue that this node pushed and nobody has confirmed."""

    def __init__(self, queue: str, origin: bytes, base: int, settings: Settings, random: Random) -> None:
        self.queue, self.origin = queue, origin
        self._settings = settings
        self._next = base
        self._base = base
        self.backlog = Backlog(settings, random)
        self._cargo = Cargo()
        self.tray: Tray[bytes] = Tray()
        self.routes: dict[bytes, Route] = {}
        self.depth = self.size = 0
        self._turn = 0
        self._moved = False
        self.acked = self.redelivered = self.returned = self.refused = self.unreadable = 0
        self.waited = 0.0
        #: When workers had jobs of ours.
        self.busy = BusyTime()

    def __repr__(self) -> str:
        return f"<Outbox {self.queue!r} {counted(self.depth, 'job')}, {self.depth - self.backlog.idle} in flight>"

    # -- in ----------------------------------------------------------------------------------------

    @property
    def pushed(self) -> int:
        """How many jobs were ever put in."""
        return self._next - self._base

    def add(
        self, body: bytes, buffers: Sequence[bytes], headers: Headers | None, now: float, to: str | None = None
    ) -> int:
        """Take a job, for one node alone where ``to`` names it; returns its number.

        Raises:
            WouldBlock: the outbox is full.
        """
        size = len(body)
        if buffers:
            size += sum(map(len, buffers))
        if headers:
            size += weight(headers)
        settings = self._settings
        if self.depth and (self.depth >= settings.outbox_jobs or self.size + size > settings.outbox_bytes):
            raise WouldBlock
        number, self._next = self._next, self._next + 1
        self.backlog.add(number, [body], now, to)
        if buffers or headers:
            self._cargo.load(number, buffers, headers)
        self.depth += 1
        self.size += size
        return number

    def clear_tray(self, now: float) -> bool:
        """Take in what lies on the tray; whether there was anything."""
        bodies = self.tray.take()
        if not bodies:
            return False
        number, self._next = self._next, self._next + len(bodies)
        self.backlog.add(number, bodies, now)
        self.depth += len(bodies)
        self.size += sum(map(len, bodies))
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
    def waiting(self) -> int:
        """How many jobs wait that may go to anybody."""
        return self.backlog.waiting

    @property
    def working(self) -> list[bytes]:
        """The workers that have jobs of ours."""
        return [route.peer for route in self.routes.values() if route.in_flight]

    # -- out ---------------------------------------------------------------------------------------

    def best(self, room: Callable[[bytes], bool]) -> Route | None:
        """Return the route to use next: most free credit, then least recently used."""
        backlog = self.backlog
        if not backlog.waiting or not self.routes:
            return None
        return choose(self.routes.values(), room, ready=bool(backlog.ready), alone=bool(backlog.alone))

    def next_batch(self, route: Route, now: float) -> list[bytes]:
        """Take the next jobs for a route that ``best`` returned; returns the frames of a batch."""
        self._turn += 1
        route.used = self._turn
        backlog = self.backlog
        if backlog.alone and route.in_flight == 0:
            run = backlog.next_alone()
            route.alone = True
        else:
            run = self._take(route, now)
        frames = self._send(route, run, backlog.waiting - len(run.bodies), now)
        backlog.waiting -= len(run.bodies)
        return frames

    def next_directed(self, route: Route, to: str, now: float) -> list[bytes]:
        """Take the next jobs that the node of a route alone is to do; returns the frames of a batch."""
        self._turn += 1
        route.used = self._turn
        directed = self.backlog.directed
        run = directed.take(to, max(1, route.free))
        most = self._cargo.fitting(run, len(run.bodies))
        if most < len(run.bodies):
            directed.give_back(run.cut(most, len(run.bodies)))
            run = run.cut(0, most)
        return self._send(route, run, self.waiting + directed.waiting(to), now)

    def _send(self, route: Route, run: Run, backlog: int, now: float) -> list[bytes]:
        buffers, headers = self._cargo.of(run)
        count = len(run.bodies)
        frames = pack_batch(
            self.queue,
            self.origin,
            run.first,
            run.bodies,
            attempt=run.attempts + 1,
            backlog=backlog,
            held=max(0.0, now - run.since),
            headers=headers,
            buffers=buffers,
        )
        route.depart(run, self._cargo.size(run))
        self.redelivered += count if run.attempts else 0
        route.told_backlog = backlog
        return frames

    def _take(self, route: Route, now: float) -> Run:
        ready = self.backlog.ready
        run = ready.popleft()
        sharing = sum(1 for other in self.routes.values() if other.free > 0) or 1
        # Small backlogs are shared out, but not in pieces below 5 ms of a worker's time: each costs two frames.
        share = max(1, -(-self.waiting // sharing), (route.free + route.in_flight) // WINDOW_PIECES)
        most = min(route.free, share)
        while ready and len(run.bodies) < most and run.join(ready[0], now):
            ready.popleft()
        most = self._cargo.fitting(run, min(len(run.bodies), most))
        if most < len(run.bodies):
            ready.appendleft(run.cut(most, len(run.bodies)))
            run = run.cut(0, most)
        return run

    # -- answers -----------------------------------------------------------------------------------

    def grant(self, peer: bytes, jobs: int, size: int) -> None:
        """Take the limits a worker grants; they are absolute and may also sink."""
        route = self.routes.get(peer)
        if route is not None:
            route.jobs_limit, route.bytes_limit = jobs, size

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

    def _done(self, runs: Iterable[Run], now: float) -> None:
        for run in runs:
            self.acked += len(run.bodies)
            self.waited += (now - run.since) * len(run.bodies)
            self._forget(run)

    def give_back(self, peer: bytes, verdict: Verdict, ranges: Ranges, delay: float | None, now: float) -> None:
        """Take back jobs that a living worker did not do."""
        route = self.routes.get(peer)
        if route is None:
            return
        alone = route.alone
        back = route.land(merged(ranges))
        self._moved = True
        for run in back:
            if verdict is Verdict.UNREADABLE:
                self.unreadable += len(run.bodies)
                self._forget(run)
                continue
            run.attempts += verdict is not Verdict.RETURNED
            if verdict is Verdict.REFUSED:
                self.refused += len(run.bodies)
                for index in range(len(run.bodies)):
                    paused = run.cut(index, index + 1)
                    paused.alone = alone
                    self.backlog.pauses.add(paused, delay, now)
        if verdict in (Verdict.RETURNED, Verdict.LEFT):
            count = count_jobs(back)
            self.returned += count
            if alone:  # what it was suspected of is not disproved
                self.backlog.suspect(back, first=True)
            else:
                self.backlog.to_front(back)

    def wake(self, now: float) -> bool:
        """Move what has paused long enough back in front; whether there was any."""
        return self.backlog.wake(now)

    @property
    def deadline(self) -> float | None:
        """When the next paused job is due."""
        return self.backlog.pauses.deadline

    def open(self, peer: bytes) -> Route:
        """Return the route to a worker, made anew where there is none."""
        route = self.routes.get(peer)
        if route is None:
            route = self.routes[peer] = Route(peer)
        return route

    def lose(self, peer: bytes, now: float, *, clean: bool) -> int:
        """Take back what was with a worker whose session ended; returns how many jobs.

        ``begun`` is only a lower bound, for what a dying process said last may be lost with it. So
        everything that was with it goes out again *alone*: the job that killed it is found at its
        second delivery, and no neighbour is delivered a third time because of it. Only the job known
        to be begun is blamed. After a clean goodbye nobody is.
        """
        route = self.routes.pop(peer, None)
        if route is None or not route.flights:
            return 0
        self._moved = True
        back = list(route.flights)
        count = count_jobs(back)
        for run in back:
            run.attempts += 1
        if clean:
            self.backlog.to_front(back)
        else:
            self.backlog.suspect(suspects(back, route.begun))
        return count

    def _forget(self, run: Run) -> None:
        self.depth -= len(run.bodies)
        self.size -= self._cargo.weight(run)
        self._cargo.drop(run)
