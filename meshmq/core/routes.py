"""Routes: the workers of one queue as its outbox sees them, and which of them comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from meshmq.core.runs import Run, count_jobs, sift
from meshmq.wire.fields import Ranges


@dataclass(slots=True)
class Route:
    """One worker, as this outbox sees it: absolute limits granted, and what is with it."""

    peer: bytes
    jobs_limit: int = 0
    bytes_limit: int = 0
    jobs_sent: int = 0
    bytes_sent: int = 0
    flights: deque[Run] = field(default_factory=deque)
    #: What it has handled, and keeps in custody until what was made of it is safe.
    held: deque[Run] = field(default_factory=deque)
    in_flight: int = 0
    begun: int = -1
    used: int = 0
    #: The number of the job that went there alone, -1 where none did.
    lone: int = -1
    told_backlog: int = -1
    #: Whether it is a device, and no worker: it finds one that is empty for a job that goes alone.
    onward: bool = False
    #: Whether devices stand before it: it gets what is for it alone, and nothing else.
    aside: bool = False

    @property
    def alone(self) -> bool:
        """Whether a job went there alone: a worker gets nothing else until it is settled."""
        return self.lone >= 0

    @property
    def free(self) -> int:
        """How many more jobs may be sent."""
        return self.jobs_limit - self.jobs_sent if self.bytes_sent < self.bytes_limit else 0

    @property
    def takes_alone(self) -> bool:
        """Whether a job that is to be alone with its worker may go there now."""
        return not self.alone if self.onward else not self.in_flight

    def depart(self, run: Run, size: int) -> None:
        """Note that a run is sent."""
        self.flights.append(run)
        self.in_flight += len(run.bodies)
        self.jobs_sent += len(run.bodies)
        self.bytes_sent += size

    def land(self, spans: Ranges) -> list[Run]:
        """Take the numbers of all ``spans``, which are sorted and apart, out of what is with the worker."""
        landed = sift(self.flights, spans)
        if landed:
            self.in_flight -= count_jobs(landed)
            if not self.in_flight or any(run.first <= self.lone <= run.last for run in landed):
                self.lone = -1
        if self.held and count_jobs(landed) < sum(last - first + 1 for first, last in spans):
            landed += sift(self.held, spans)
        return landed

    def hold(self, spans: Ranges) -> list[Run]:
        """Note that the worker has handled jobs, and return them: none of them can be what kills it."""
        handled = self.land(spans)
        self.held.extend(handled)
        return handled

    def place(self, spans: Ranges, worker: bytes) -> None:
        """Note which worker a device has given jobs to."""
        for runs in (self.flights, self.held):
            for run in (placed := sift(runs, spans)):
                run.at = worker
            runs.extend(placed)


def choose(routes: Iterable[Route], room: Callable[[bytes], bool], *, ready: bool, alone: bool) -> Route | None:
    """Return the route to use next: most free credit, then least recently used.

    ``ready`` and ``alone`` say what waits: jobs for anybody, and jobs that go to an empty worker alone.
    """
    open_routes = [
        route for route in routes if not route.aside and (route.onward or not route.alone) and room(route.peer)
    ]
    if alone:
        for route in open_routes:
            if route.onward and route.takes_alone and route.free > 0:
                return route
    # A worker that has nothing and asks for nothing is none, least of all for a job that goes alone.
    serving = [r for r in open_routes if not r.onward and (r.in_flight or r.free > 0)] if alone else []
    if serving:
        # One worker is kept empty for jobs that go out alone; the others go on.
        lonely = min(serving, key=lambda route: (route.in_flight, route.used))
        if not lonely.in_flight:
            return lonely
        open_routes.remove(lonely)
    if not ready:
        return None
    return max(
        (route for route in open_routes if route.free > 0),
        key=lambda route: (route.free, -route.used),
        default=None,
    )
