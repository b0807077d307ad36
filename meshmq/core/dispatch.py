"""Dispatch: which jobs of an outbox go to which worker next, and the batches in which they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshmq.core.backlog import Backlog
from meshmq.core.cargo import Cargo
from meshmq.core.custody import Outputs
from meshmq.core.owners import Owners
from meshmq.core.routes import Route, choose
from meshmq.core.runs import Run
from meshmq.fate import ORDINARY
from meshmq.wire.batches import Terms, pack_batch

#: A worker's window is about 100 ms of its work; so many pieces of it are 5 ms.
WINDOW_PIECES: Final = 20
#: From this window on jobs are of 20 us or less, and two frames cost more than many of them: so many pieces are 20 ms.
QUICK_WINDOW: Final = 5_000
QUICK_PIECES: Final = 5


class Dispatch:
    """The way out of an outbox."""

    def __init__(self, queue: str, origin: bytes) -> None:
        self.queue, self.origin, self.backlog = queue, origin, Backlog()
        self._cargo = Cargo()
        self._outputs = Outputs()
        #: Whose the keys are.
        self.owners = Owners()
        self.routes: dict[bytes, Route] = {}
        self.redelivered = 0
        self._turn = 0

    @property
    def waiting(self) -> int:
        """How many jobs wait that may go to anybody."""
        return self.backlog.waiting

    @property
    def unsent(self) -> bool:
        """Whether any wait, also for one node alone, that go as soon as their way is open."""
        return self.backlog.waiting > 0 or bool(self.backlog.directed)

    def place_keys(self, now: float) -> None:
        """Have the keys belong to who takes jobs."""
        keys = self.backlog.keys
        if keys.of or self.owners.deadline is not None:
            keys.seek(self.owners.look(self.routes, self.backlog.directed, now))

    def best(self, room: Callable[[bytes], bool]) -> Route | None:
        """Return the route to use next: most free credit, then least recently used."""
        backlog = self.backlog
        if not backlog.waiting or not self.routes:
            return None
        return choose(self.routes.values(), room, ready=bool(backlog.ready), alone=bool(backlog.alone))

    def next_batch(self, route: Route, now: float, piece: int = 0) -> list[bytes]:
        """Take the next jobs for a route that ``best`` returned; returns the frames of a batch.

        Large buffers of several jobs go together up to ``piece`` bytes.
        """
        self._turn += 1
        route.used = self._turn
        backlog = self.backlog
        if backlog.alone and route.takes_alone:
            run = backlog.next_alone()
            route.lone = run.first
        else:
            run = self._take(route, now, piece)
        frames = self._send(route, run, backlog.waiting - len(run.bodies), now)
        backlog.waiting -= len(run.bodies)
        return frames

    def may_go(self, route: Route, to: str) -> bool:
        """Whether a job for one node may go there now; one suspected of the loss of a worker goes to an empty one."""
        directed = self.backlog.directed
        if not directed.waiting(to) or route.free <= 0 or route.alone:
            return False
        return not (directed.next(to).alone and route.in_flight)

    def next_directed(self, route: Route, to: str, now: float, piece: int = 0) -> list[bytes]:
        """Take the next jobs that the node of a route alone is to do; returns the frames of a batch."""
        self._turn += 1
        route.used = self._turn
        directed = self.backlog.directed
        alone = directed.next(to).alone
        run = directed.take(to, 1 if alone else max(1, route.free))
        if alone:
            route.lone = run.first
        most = self._fitting(run, len(run.bodies), piece)
        if most < len(run.bodies):
            directed.give_back(run.cut(most, len(run.bodies)))
            run = run.cut(0, most)
        return self._send(route, run, self.waiting + directed.waiting(to), now)

    def _fitting(self, run: Run, most: int, piece: int) -> int:
        """Return how many jobs of a run go into one batch."""
        return self._cargo.fitting(run, self._outputs.fitting(run, most), piece)

    def _send(self, route: Route, run: Run, backlog: int, now: float) -> list[bytes]:
        buffers, headers = self._cargo.of(run)
        count = len(run.bodies)
        origin, first = self._outputs.id_of(run) or (self.origin, run.first)
        frames = pack_batch(
            self.queue,
            origin,
            first,
            run.bodies,
            attempt=run.attempts + 1,
            backlog=backlog,
            held=max(0.0, now - run.since),
            headers=headers,
            buffers=buffers,
            alone=route.onward and route.lone == run.first,
            terms=_terms(run, now) if run.fate is not ORDINARY else None,
        )
        route.depart(run, self._cargo.size(run))
        self.redelivered += count if run.attempts else 0
        route.told_backlog = backlog
        return frames

    def _take(self, route: Route, now: float, piece: int) -> Run:
        ready = self.backlog.ready
        run = ready.popleft()
        sharing = sum(1 for other in self.routes.values() if other.free > 0 and not other.aside) or 1
        # Small backlogs are shared out, but not in pieces below 5 ms of a worker's time: each costs two frames.
        window = route.free + route.in_flight
        least = window // (QUICK_PIECES if window >= QUICK_WINDOW else WINDOW_PIECES)
        share = max(1, -(-self.waiting // sharing), least)
        most = min(route.free, share)
        while ready and len(run.bodies) < most and run.join(ready[0], now):
            ready.popleft()
        most = self._fitting(run, min(len(run.bodies), most), piece)
        if most < len(run.bodies):
            ready.appendleft(run.cut(most, len(run.bodies)))
            run = run.cut(0, most)
        return run


def _terms(run: Run, now: float) -> Terms | None:
    """Return what its worker is to hold to."""
    fate = run.fate
    if fate.ttl is None and fate.lease is None and not fate.priority:
        return None
    left = None if fate.ttl is None else max(0.0, run.since + fate.ttl - now)
    return Terms(fate.lease, left, fate.priority)
