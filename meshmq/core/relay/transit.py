"""A queue in transit: its pushers on one side of a device, its workers on the other, and what goes to and fro.

To pushers a device is a worker, to workers a pusher. What it grants its pushers is at no time more than its
workers have granted it and it has not used. It sends a batch on to the worker with most free credit, and keeps of
it whose it is and with whom. Jobs stay here only as long as a line is busy or a limit has sunk, and one that goes
out alone until a worker is empty. Acks, and what workers give back, return to whom they belong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from meshmq.core.moments import earliest
from meshmq.core.receipts import Receipts
from meshmq.core.relay.flights import Flight, Worker
from meshmq.core.relay.placements import Placements
from meshmq.core.relay.share import Pusher, Share
from meshmq.core.returns import Returns
from meshmq.core.routes import Route, choose
from meshmq.errors import ProtocolError
from meshmq.settings import Settings
from meshmq.wire.batches import Batch, pack_onward
from meshmq.wire.fields import Ranges
from meshmq.wire.frames import Kind, pack_acks, pack_grant
from meshmq.wire.verdicts import Settle, Verdict

#: Small backlogs are shared out, but not in pieces of less than such a part of a worker's window.
WINDOW_PIECES: Final = 20


@dataclass(slots=True)
class Parcel:
    """What of a batch has not been sent on yet."""

    batch: Batch
    pusher: Pusher
    arrived: float
    start: int

    def __len__(self) -> int:
        return self.batch.count - self.start

    def size(self, end: int) -> int:
        """Return the bytes from its start to there, as credit counts them."""
        return self.batch.size_of(self.start, end)


class Transit:
    """All that passes through for one queue."""

    def __init__(self, queue: str, settings: Settings) -> None:
        self.queue = queue
        self._settings = settings
        self.pushers: dict[bytes, Pusher] = {}
        self.workers: dict[bytes, Worker] = {}
        self.waiting: deque[Parcel] = deque()
        #: Suspected of the loss of a worker: each goes to one that has nothing else.
        self.alone: deque[Parcel] = deque()
        self._acks, self._returns, self._share = Receipts(), Returns(queue), Share()
        self._turn = 0
        self._placements = Placements(queue)
        #: Takes nothing new.
        self.draining = False
        self.received = self.forwarded = self.acked = self.returned = self.lost = 0

    def __repr__(self) -> str:
        return f"<Transit of {self.queue!r} {len(self.pushers)} to {len(self.workers)}, {self.here} here>"

    @property
    def here(self) -> int:
        """How many jobs have come and were not sent on."""
        return sum(map(len, self.waiting)) + len(self.alone)

    @property
    def away(self) -> int:
        """How many jobs are with workers."""
        flying = (flight for worker in self.workers.values() for of in worker.flying.values() for flight in of)
        return sum(map(len, flying))

    @property
    def backlog(self) -> int:
        """How many jobs wait, here and at pushers."""
        return self.here + sum(pusher.backlog for pusher in self.pushers.values())

    @property
    def free(self) -> int:
        """How many jobs workers would take beyond those that are here."""
        return sum(max(0, worker.free) for worker in self.workers.values()) - self.here

    # -- pushers -----------------------------------------------------------------------------------

    def offered(self, peer: bytes, backlog: int, now: float) -> bool:
        """Learn how many jobs a pusher has waiting; whether it was not known."""
        pusher = self.pushers.get(peer)
        new = pusher is None
        if pusher is None:
            pusher = self.pushers[peer] = Pusher(peer)
        pusher.backlog, pusher.stirred = backlog, now
        return new

    def receive(self, peer: bytes, batch: Batch, now: float) -> None:
        """Take a batch.

        Raises:
            ProtocolError: it is more than was ever granted.
        """
        pusher = self.pushers.get(peer)
        if pusher is None or not pusher.take(batch):
            raise ProtocolError(f"more jobs of {self.queue!r} than it was granted")
        pusher.stirred = now
        self.received += batch.count
        (self.alone if batch.alone else self.waiting).append(Parcel(batch, pusher, now, 0))

    def awaits(self, peer: bytes) -> bool:
        """Whether a pusher may send more."""
        return peer in self.pushers and self.pushers[peer].granted

    def leave(self, peer: bytes) -> None:
        """Forget a pusher whose session is over: it sends elsewhere what is here. What workers have they finish."""
        pusher = self.pushers.pop(peer, None)
        if pusher is not None:
            pusher.gone = True
            self._acks.forget(peer)
            self._returns.forget(peer)
            self.waiting = deque(parcel for parcel in self.waiting if parcel.pusher is not pusher)
            self.alone = deque(parcel for parcel in self.alone if parcel.pusher is not pusher)

    # -- workers -----------------------------------------------------------------------------------

    def seek(self, peer: bytes) -> Worker:
        """Return a worker, made anew where there is none."""
        worker = self.workers.get(peer)
        if worker is None:
            worker = self.workers[peer] = Worker(peer)
        return worker

    def grant(self, peer: bytes, jobs: int, size: int) -> None:
        """Take the limits a worker grants; they are absolute and may also sink."""
        worker = self.workers.get(peer)
        if worker is not None:
            worker.jobs_limit, worker.bytes_limit = jobs, size

    def settle(self, peer: bytes, origin: bytes, begun: int, ranges: Ranges) -> None:
        """Take acks."""
        worker = self.workers.get(peer)
        if worker is None:
            return
        if begun >= 0 and origin in worker.flying:
            worker.started[origin] = begun
        for flight in worker.come_down(origin, ranges):
            self.acked += len(flight)
            if flight.pusher.peer in self.pushers:  # an ack of any delivery settles a job
                self._acks.confirm(flight.pusher.peer, origin, flight.first, flight.end - 1)

    def give_back(self, peer: bytes, said: Settle) -> None:
        """Take what a worker says of jobs that it does not acknowledge."""
        worker = self.workers.get(peer)
        if worker is not None:
            down = worker.handled if said.verdict is Verdict.HELD else worker.come_down
            for flight in down(said.origin, said.ranges):
                self._tell(flight, said.verdict, said.origin, said.delay, said.reason)

    def lose(self, peer: bytes, *, clean: bool) -> int:
        """Tell pushers of what was with a worker whose session ended; returns how many jobs.

        They treat it as if their own session with it had ended: what may have been begun goes out again alone.
        """
        worker = self.workers.pop(peer, None)
        count = 0
        for origin, flights in worker.flying.items() if worker is not None else ():
            begun = worker.started.get(origin, worker.lone) if worker is not None else -1
            for flight in flights:
                count += len(flight)
                if clean or flight.held:
                    self._tell(flight, Verdict.LEFT, origin)
                    continue
                at = begun if flight.first <= begun < flight.end else flight.end
                self._tell(Flight(flight.pusher, flight.first, at), Verdict.LOST, origin)
                self._tell(Flight(flight.pusher, at, min(at + 1, flight.end)), Verdict.BLAMED, origin)
                self._tell(Flight(flight.pusher, at + 1, flight.end), Verdict.LOST, origin)
        self.lost += count
        return count

    def _tell(
        self, flight: Flight, verdict: Verdict, origin: bytes, delay: float | None = None, reason: str = ""
    ) -> None:
        if flight.first < flight.end and not flight.pusher.gone:
            self.returned += len(flight) if verdict in (Verdict.RETURNED, Verdict.LEFT) else 0
            self._returns.add(flight.pusher.peer, verdict, origin, flight.first, flight.end - 1, delay, reason)

    # -- onward ------------------------------------------------------------------------------------

    def best(self, room: Callable[[bytes], bool]) -> Worker | None:
        """Return the worker to use next: most free credit, then least recently used."""
        if not self.waiting and not self.alone:
            return None
        found = choose(self.workers.values(), room, ready=bool(self.waiting), alone=bool(self.alone))
        return self.workers[found.peer] if found is not None else None

    def next_batch(self, worker: Worker, now: float, round_trip: Callable[[bytes], float]) -> list[bytes]:
        """Take the next jobs for a worker that ``best`` returned; returns the frames of a batch."""
        self._turn += 1
        worker.used = self._turn
        alone = bool(self.alone) and not worker.in_flight
        parcels = self.alone if alone else self.waiting
        parcel = parcels[0]
        batch, start = parcel.batch, parcel.start
        end = start + (1 if alone else self._most(worker, len(parcel)))
        size = parcel.size(end)
        if end < batch.count:
            parcel.start = end
        else:
            parcels.popleft()
        pusher = parcel.pusher
        pusher.finished += end - start
        pusher.finished_bytes += size
        self.forwarded += end - start
        flight = Flight(pusher, batch.first + start, batch.first + end, since=now)
        again = batch.attempt > 1
        self._placements.sent_on(now)
        worker.take_off(batch.origin, flight, size, alone=alone, again=again)
        held = batch.held + max(0.0, now - parcel.arrived) + round_trip(pusher.peer) / 2
        worker.told_backlog = self.backlog
        return pack_onward(batch, start, end, pusher=pusher.peer, backlog=worker.told_backlog, held=held)

    def _most(self, worker: Worker, most: int) -> int:
        """Return how many jobs of ``most`` to give a worker: what is left for all of them is shared out."""
        sharing = sum(1 for other in self.workers.values() if other.free > 0) or 1
        share = max(1, -(-self.backlog // sharing), (worker.free + worker.in_flight) // WINDOW_PIECES)
        return min(most, worker.free, share)

    def _turn_back(self) -> None:
        """Give back what is here and nobody will take."""
        if self.draining or not any(worker.free > 0 or worker.in_flight for worker in self.workers.values()):
            for parcel in (*self.waiting, *self.alone):
                batch = parcel.batch
                flight = Flight(parcel.pusher, batch.first + parcel.start, batch.first + batch.count)
                parcel.pusher.finished += len(flight)
                parcel.pusher.finished_bytes += parcel.size(batch.count)
                self._tell(flight, Verdict.RETURNED, batch.origin)
            self.waiting.clear()
            self.alone.clear()

    # -- answers -----------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``answers`` has something to do by itself."""
        return earliest(self._share.deadline, self._placements.deadline)

    def offers(self) -> Iterator[tuple[Route, int]]:
        """Yield which workers to tell of how much waits."""
        backlog = self.backlog
        for worker in self.workers.values():
            stale = worker.told_backlog > 0 and not backlog
            if worker.told_backlog < 0 or stale or (backlog and worker.free <= 0 and not worker.told_backlog):
                worker.told_backlog = backlog
                yield worker, backlog

    def answers(self, now: float) -> list[tuple[bytes, Kind, bytes]]:
        """Return the frames that are due to pushers: acks, grants, settlements, receipts."""
        self._turn_back()
        back, frames = self._returns.take(), list[tuple[bytes, Kind, bytes]]()
        due = self._acks.due()
        pushers = self.pushers.values()
        free = 0 if self.draining else max(0, self.free)
        told = {pusher.peer: pusher for pusher in self._share.allot(pushers, free, now)}
        told |= {pusher.peer: pusher for pusher in self._short_of_bytes(pushers)}
        for peer in due:
            told.setdefault(peer, self.pushers[peer])
        for peer, pusher in told.items():
            limits = pusher.limit, self._bytes(pusher)
            pusher.told(*limits)
            if peer in due:
                frames += ((peer, Kind.ACKS, body) for body in pack_acks(self.queue, *limits, due[peer]))
            else:
                frames.append((peer, Kind.GRANT, pack_grant(self.queue, *limits)))
        frames += self._placements.due(self.workers.values(), now)
        return frames + back  # in this order: who gets jobs back must not send them again on credit that is over

    def _bytes(self, pusher: Pusher) -> int:
        return pusher.finished_bytes + self._settings.prefetch_bytes // len(self.pushers)

    def _short_of_bytes(self, pushers: Iterable[Pusher]) -> Iterator[Pusher]:
        for pusher in pushers:
            if pusher.unused and pusher.limit_bytes <= pusher.received_bytes < self._bytes(pusher):
                yield pusher
