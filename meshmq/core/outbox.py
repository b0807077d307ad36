"""An outbox: the pusher keeps every job of one queue here until a worker has confirmed it.

Jobs stand in *runs* of consecutive numbers. A run waits in ``_ready``, is in flight on a *route* (one
worker), waits alone in ``_alone`` because a worker was lost while it may have been begun, or pauses
in ``_later`` after a nack. Delivery and guilt are counted apart: ``attempts`` counts deliveries that
may have run, ``failures`` only what speaks against the job itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Final

from meshmq.errors import WouldBlock
from meshmq.settings import Settings
from meshmq.wire.batches import EXTRAS_LIMIT, Headers, headers_bytes, pack_batch
from meshmq.wire.fields import Ranges
from meshmq.wire.frames import Verdict

RUN_JOBS: Final = 512
#: Jobs of one run count as pushed in one moment; without this a full outbox's one run would grow for ever.
RUN_SPAN: Final = 0.005
BATCH_BYTES: Final = 64 * 1024
#: While the line is busy a batch grows for at most this long, and pushes only lay their jobs on the tray.
BATCH_WAIT: Final = 0.001
TRAY_JOBS: Final = 256
TRAY_BYTES: Final = 4 * 1024


class Run:
    """Jobs with consecutive numbers and one history."""

    __slots__ = ("attempts", "bodies", "failures", "first", "since")

    def __init__(self, first: int, bodies: list[bytes], since: float, attempts: int = 0, failures: int = 0) -> None:
        self.first, self.bodies, self.since = first, bodies, since
        self.attempts, self.failures = attempts, failures

    @property
    def last(self) -> int:
        """The highest number in the run."""
        return self.first + len(self.bodies) - 1

    def cut(self, start: int, end: int) -> Run:
        """Return a part of the run, by index."""
        return Run(self.first + start, self.bodies[start:end], self.since, self.attempts, self.failures)


@dataclass(slots=True)
class Route:
    """One worker, as this outbox sees it: absolute limits granted, and what is with it."""

    peer: bytes
    jobs_limit: int = 0
    bytes_limit: int = 0
    jobs_sent: int = 0
    bytes_sent: int = 0
    flights: deque[Run] = field(default_factory=deque)
    in_flight: int = 0
    begun: int = -1
    used: int = 0
    alone: bool = False
    told_backlog: int = -1

    @property
    def free(self) -> int:
        """How many more jobs may be sent."""
        return self.jobs_limit - self.jobs_sent if self.bytes_sent < self.bytes_limit else 0


class Outbox:
    """All jobs of one queue that this node pushed and nobody has confirmed."""

    def __init__(self, queue: str, origin: bytes, base: int, settings: Settings, random: Random) -> None:
        self.queue, self.origin = queue, origin
        self._settings, self._random = settings, random
        self._next = base
        self._base = base
        self._ready: deque[Run] = deque()
        self._alone: deque[Run] = deque()
        self._later: list[tuple[float, int, Run]] = []
        # Small jobs pushed while the line is busy lie on the tray until the next step: laying one there
        # takes no lock (deque.append is whole), which halves the time of a push: 1.3 to 0.6 us.
        self.tray: deque[bytes] = deque()
        self.tray_room = 0
        self.tray_due = 0.0
        self.tray_open = True
        self._buffers: dict[int, tuple[bytes, ...]] = {}
        self._headers: dict[int, Headers] = {}
        self.routes: dict[bytes, Route] = {}
        self.waiting = 0
        self.depth = 0
        self.size = 0
        self._turn = 0
        self._moved = False
        self.acked = self.redelivered = self.returned = self.refused = self.unreadable = 0
        self.waited = 0.0
        self.progress_at = 0.0

    def __repr__(self) -> str:
        return f"<Outbox {self.queue!r} {self.depth} jobs, {self.depth - self.waiting} in flight>"

    # -- in --------------------------------------------------------------------------------------

    @property
    def pushed(self) -> int:
        """How many jobs were ever put in."""
        return self._next - self._base

    def add(self, body: bytes, buffers: Sequence[bytes], headers: Headers | None, now: float) -> int:
        """Take a job; returns its number.

        Raises:
            WouldBlock: the outbox is full.
        """
        size = len(body)
        if buffers:
            size += sum(map(len, buffers))
        settings = self._settings
        if self.depth and (self.depth >= settings.outbox_jobs or self.size + size > settings.outbox_bytes):
            raise WouldBlock
        number = self._next
        self._next = number + 1
        ready = self._ready
        tail = ready[-1] if ready else None
        if (
            tail is not None
            and tail.first + len(tail.bodies) == number
            and len(tail.bodies) < RUN_JOBS
            and now - tail.since < RUN_SPAN
            and not tail.attempts
            and not tail.failures
        ):
            tail.bodies.append(body)
        else:
            ready.append(Run(number, [body], now))
        if buffers:
            self._buffers[number] = tuple(buffers)
        if headers:
            self._headers[number] = headers
        self.waiting += 1
        self.depth += 1
        self.size += size
        return number

    def clear_tray(self, now: float) -> bool:
        """Take in what lies on the tray; whether there was anything."""
        count = len(self.tray)
        if not count:
            return False
        bodies = [self.tray.popleft() for _ in range(count)]
        self.waiting += count
        self.depth += count
        self.size += sum(map(len, bodies))
        number, self._next = self._next, self._next + count
        tail = self._ready[-1] if self._ready else None
        if tail is not None and tail.last + 1 == number and not tail.attempts and not tail.failures:
            room = RUN_JOBS - len(tail.bodies)
            tail.bodies += bodies[:room]
            number += len(bodies[:room])
            bodies = bodies[room:]
        for start in range(0, len(bodies), RUN_JOBS):
            self._ready.append(Run(number + start, bodies[start : start + RUN_JOBS], now))
        return True

    def set_tray(self, now: float) -> float | None:
        """Say how much may be laid on the tray, and until when; nothing while the line is idle."""
        settings = self._settings
        self.tray_room = 0
        if self.depth > self.waiting or self.waiting >= TRAY_JOBS:
            if self.size + TRAY_JOBS * TRAY_BYTES < settings.outbox_bytes:
                self.tray_room = min(TRAY_JOBS, settings.outbox_jobs - self.depth)
            self.tray_due = now + BATCH_WAIT
            return self.tray_due
        return None

    def withdraw(self, body: bytes) -> bool:
        """Take a job off the tray again; whether it was still there."""
        for index, lying in enumerate(self.tray):
            if lying is body:
                del self.tray[index]
                return True
        return False

    @property
    def untouched(self) -> int:
        """How many jobs no worker has had in its hands, as far as is known."""
        return sum(len(run.bodies) for runs in (self._ready, self._alone) for run in runs if not run.attempts)

    @property
    def paused(self) -> int:
        """How many jobs pause after a nack."""
        return len(self._later)

    @property
    def working(self) -> list[bytes]:
        """The workers that have jobs of ours."""
        return [route.peer for route in self.routes.values() if route.in_flight]

    # -- out -------------------------------------------------------------------------------------

    def best(self, room: Callable[[bytes], bool]) -> Route | None:
        """Return the route to use next: most free credit, then least recently used."""
        if not self.waiting or not self.routes:
            return None
        open_routes = [route for route in self.routes.values() if not route.alone and room(route.peer)]
        # A worker that has nothing and asks for nothing is none, least of all for a job that goes alone.
        serving = [route for route in open_routes if route.in_flight or route.free > 0] if self._alone else []
        if serving:
            # One worker is kept empty for jobs that go out alone; the others go on.
            lonely = min(serving, key=lambda route: (route.in_flight, route.used))
            if not lonely.in_flight:
                return lonely
            open_routes.remove(lonely)
        if not self._ready:
            return None
        return max(
            (route for route in open_routes if route.free > 0),
            key=lambda route: (route.free, -route.used),
            default=None,
        )

    def next_batch(self, route: Route, now: float) -> list[bytes]:
        """Take the next jobs for a route that ``best`` returned; returns the frames of a batch."""
        self._turn += 1
        route.used = self._turn
        if self._alone and route.in_flight == 0:
            run = self._alone.popleft()
            if len(run.bodies) > 1:
                self._alone.appendleft(run.cut(1, len(run.bodies)))
                run = run.cut(0, 1)
            route.alone = True
        else:
            run = self._take(route)
        buffers = self._buffers.get(run.first, ()) if self._buffers else ()
        headers = None
        if self._headers:
            headers = {
                index: self._headers[run.first + index]
                for index in range(len(run.bodies))
                if run.first + index in self._headers
            }
        count = len(run.bodies)
        route.flights.append(run)
        route.in_flight += count
        route.jobs_sent += count
        route.bytes_sent += self._bytes(run)
        self.waiting -= count
        self.redelivered += count if run.attempts else 0
        route.told_backlog = self.waiting
        return pack_batch(
            self.queue,
            self.origin,
            run.first,
            run.bodies,
            attempt=run.attempts + 1,
            backlog=self.waiting,
            held=max(0.0, now - run.since),
            headers=headers,
            buffers=buffers,
        )

    def _take(self, route: Route) -> Run:
        run = self._ready.popleft()
        sharing = sum(1 for other in self.routes.values() if other.free > 0) or 1
        most = min(len(run.bodies), route.free, max(1, -(-self.waiting // sharing)))
        if self._buffers:
            most = self._up_to_buffers(run, most)
        if self._headers:
            most = self._up_to_headers(run, most)
        if most > 1:
            size = 0
            for index in range(most):
                size += len(run.bodies[index])
                if size > BATCH_BYTES:
                    most = max(1, index)
                    break
        if most < len(run.bodies):
            self._ready.appendleft(run.cut(most, len(run.bodies)))
            run = run.cut(0, most)
        return run

    def _up_to_buffers(self, run: Run, most: int) -> int:
        """A job with buffers goes alone in its batch; returns where to cut."""
        for index in range(most):
            if run.first + index in self._buffers:
                return max(1, index)
        return most

    def _up_to_headers(self, run: Run, most: int) -> int:
        """The headers of one batch are bounded together; returns where to cut."""
        size = 0
        for index in range(most):
            headers = self._headers.get(run.first + index)
            if headers:
                size += headers_bytes(headers)
                if size > EXTRAS_LIMIT:
                    return max(1, index)
        return most

    # -- answers ---------------------------------------------------------------------------------

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
        settled = 0
        elsewhere: list[tuple[int, int]] = []
        for first, last in ranges:
            found = self._land(route, first, last) if route is not None else []
            settled += sum(len(run.bodies) for run in found)
            self._done(found, now)
            if self._moved and sum(len(run.bodies) for run in found) <= last - first:
                elsewhere.append((first, last))
        if elsewhere:
            found = self._gather(elsewhere)
            settled += sum(len(run.bodies) for run in found)
            self._done(found, now)
        if settled:
            self.progress_at = now
        return settled

    def _gather(self, ranges: Ranges) -> list[Run]:
        """Take jobs out of wherever they have come to stand since they were delivered."""
        spans = _merged(ranges)
        found: list[Run] = []
        for route in self.routes.values():
            found += self._landed(route, sift(route.flights, spans))
        for waiting in (self._ready, self._alone):
            taken = sift(waiting, spans)
            self.waiting -= sum(len(run.bodies) for run in taken)
            found += taken
        paused = deque(item[2] for item in self._later)
        taken = sift(paused, spans)
        if taken:
            kept = {run.first for run in paused}
            self._later = sorted(item for item in self._later if item[1] in kept)
        return found + taken

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
        back: list[Run] = []
        alone = route.alone
        for first, last in ranges:
            back += self._land(route, first, last)
        self._moved = True
        self.progress_at = now
        for run in back:
            if verdict is Verdict.UNREADABLE:
                self.unreadable += len(run.bodies)
                self._forget(run)
                continue
            run.attempts += verdict is not Verdict.RETURNED
            if verdict is Verdict.REFUSED:
                self.refused += len(run.bodies)
                for index in range(len(run.bodies)):
                    self._pause(run.cut(index, index + 1), delay, now)
        if verdict in (Verdict.RETURNED, Verdict.LEFT):
            count = sum(len(run.bodies) for run in back)
            self.returned += count
            if alone:  # what it was suspected of is not disproved
                self._alone.extendleft(back)
                self.waiting += count
            else:
                self._to_front(back)

    def _pause(self, run: Run, delay: float | None, now: float) -> None:
        run.failures += 1
        if delay is None:
            longest = min(self._settings.backoff_limit, self._settings.backoff * 2 ** min(run.failures - 1, 30))
            delay = longest * (0.5 + 0.5 * self._random.random())
        heappush(self._later, (now + delay, run.first, run))

    def wake(self, now: float) -> bool:
        """Move what has paused long enough back in front; whether there was any."""
        back: list[Run] = []
        while self._later and self._later[0][0] <= now:
            back.append(heappop(self._later)[2])
        self._to_front(back)
        return bool(back)

    @property
    def deadline(self) -> float | None:
        """When the next paused job is due."""
        return self._later[0][0] if self._later else None

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
        count = 0
        for run in back:
            run.attempts += 1
            count += len(run.bodies)
        if clean:
            self._to_front(back)
            return count
        self.waiting += count
        for run in sorted(back, key=lambda run: run.first):
            if run.first <= route.begun <= run.last:
                index = route.begun - run.first
                blamed = run.cut(index, index + 1)
                blamed.failures += 1
                pieces = [run.cut(0, index), blamed, run.cut(index + 1, len(run.bodies))]
                self._alone.extend(piece for piece in pieces if piece.bodies)
            else:
                self._alone.append(run)
        return count

    def _land(self, route: Route, first: int, last: int) -> list[Run]:
        return self._landed(route, carve(route.flights, first, last))

    def _landed(self, route: Route, landed: list[Run]) -> list[Run]:
        if landed:
            route.in_flight -= sum(len(run.bodies) for run in landed)
            if not route.in_flight:
                route.alone = False
        return landed

    def _to_front(self, runs: Iterable[Run]) -> None:
        """Put runs back where their numbers belong: what a worker gives back comes in several parts."""
        back = list(runs)
        self.waiting += sum(len(run.bodies) for run in back)
        last = max((run.first for run in back), default=-1)
        while self._ready and self._ready[0].first < last:
            back.append(self._ready.popleft())
        back.sort(key=lambda run: run.first, reverse=True)
        self._ready.extendleft(back)

    def _forget(self, run: Run) -> None:
        self.depth -= len(run.bodies)
        self.size -= self._bytes(run)
        if self._buffers or self._headers:
            for number in range(run.first, run.last + 1):
                self._buffers.pop(number, None)
                self._headers.pop(number, None)

    def _bytes(self, run: Run) -> int:
        size = sum(map(len, run.bodies))
        if self._buffers:
            for number in range(run.first, run.last + 1):
                size += sum(map(len, self._buffers.get(number, ())))
        return size


def carve(runs: deque[Run], first: int, last: int) -> list[Run]:
    """Take the numbers ``first`` to ``last`` out of ``runs``, cutting where they stand in part."""
    taken: list[Run] = []
    while runs and first <= runs[0].first and runs[0].last <= last:
        taken.append(runs.popleft())
    if not any(run.first <= last and first <= run.last for run in runs):
        return taken
    left: list[Run] = []
    for run in runs:
        start = max(first - run.first, 0)
        end = min(last - run.first + 1, len(run.bodies))
        if start >= end:
            left.append(run)
            continue
        taken.append(run.cut(start, end))
        if start > 0:
            left.append(run.cut(0, start))
        if end < len(run.bodies):
            left.append(run.cut(end, len(run.bodies)))
    runs.clear()
    runs.extend(left)
    return taken


def sift(runs: deque[Run], spans: Ranges) -> list[Run]:
    """Take the numbers of all ``spans``, which are sorted and apart, out of ``runs`` in one go."""
    firsts, lasts = [first for first, _ in spans], [last for _, last in spans]
    taken: list[Run] = []
    left: list[Run] = []
    for run in runs:
        place = 0
        for first, last in spans[bisect_left(lasts, run.first) : bisect_right(firsts, run.last)]:
            start, end = max(first - run.first, 0), min(last - run.first + 1, len(run.bodies))
            if start > place:
                left.append(run.cut(place, start))
            taken.append(run.cut(start, end))
            place = end
        if place < len(run.bodies):
            left.append(run.cut(place, len(run.bodies)) if place else run)
    if taken:
        runs.clear()
        runs.extend(left)
    return taken


def _merged(ranges: Ranges) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
