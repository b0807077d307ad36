"""The queues that a device stands before, joined to its sessions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from meshmq.core.copies import Copies
from meshmq.core.inbox import Inbox
from meshmq.core.moments import earliest
from meshmq.core.outbox import Outbox
from meshmq.core.part import Ground
from meshmq.core.presence import Presence
from meshmq.core.relay.flights import Worker
from meshmq.core.relay.transit import Transit
from meshmq.errors import ProtocolError
from meshmq.names import counted
from meshmq.wire.batches import unpack_batch
from meshmq.wire.frames import Kind, pack_offer, unpack_acks, unpack_grant, unpack_offer
from meshmq.wire.verdicts import unpack_settle

JOBS: Final = frozenset({Kind.JOBS, Kind.ACKS, Kind.GRANT, Kind.OFFER, Kind.SETTLE})


class Place(Ground, Protocol):
    """What a device asks of its participant."""

    progress_at: float
    presence: Presence
    outboxes: dict[str, Outbox]
    inboxes: dict[str, Inbox]
    shut: dict[str, Inbox]
    copies: Copies


class Queues:
    """All queues that pass through this node."""

    def __init__(self, ground: Place) -> None:
        self._ground = ground
        self.transits: dict[str, Transit] = {}
        #: Whether workers are to be looked for.
        self._seeking = False
        self.busy: dict[Transit, None] = {}

    def __repr__(self) -> str:
        return f"<Queues {', '.join(self.transits) or 'none'}>"

    def forward(self, queue: str) -> None:
        """Stand between the pushers and the workers of a queue from now on."""
        self.transits.setdefault(queue, Transit(queue, self._ground.settings))
        self._seeking = True

    # -- what sessions bring -----------------------------------------------------------------------

    def took(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> bool:
        """Take what a session brought, if it is of a queue that is forwarded; whether it is.

        Raises:
            ProtocolError: it is none; the session ends.
        """
        if kind not in JOBS:
            return False
        if kind is Kind.JOBS:
            batch = unpack_batch(frames)
            transit = self.transits.get(batch.queue)
            if transit is not None:
                if batch.pusher:
                    raise ProtocolError("jobs that another device sends on")
                transit.receive(peer, self._ground.aged(peer, batch), now)
        elif kind is Kind.OFFER:
            queue, backlog = unpack_offer(frames[0])
            transit = self.transits.get(queue)
            if transit is not None:
                self._seeking = transit.offered(peer, backlog, now) or self._seeking
        elif kind is Kind.ACKS:
            acks = unpack_acks(frames[0])
            transit = self.transits.get(acks.queue)
            if transit is not None:
                self._ground.progress_at = now
                transit.grant(peer, acks.jobs, acks.size)
                for origin, begun, ranges in acks.done:
                    transit.settle(peer, origin, begun, ranges)
        elif kind is Kind.GRANT:
            queue, jobs, size = unpack_grant(frames[0])
            transit = self.transits.get(queue)
            if transit is not None:
                transit.grant(peer, jobs, size)
        else:
            said = unpack_settle(frames[0])
            transit = self.transits.get(said.queue)
            if transit is not None:
                transit.give_back(peer, said)
        if transit is None:
            return False
        self.busy[transit] = None
        return True

    def awaits(self, peer: bytes) -> bool:
        """Whether a peer may send large jobs."""
        return any(transit.awaits(peer) for transit in self.transits.values())

    def session_ended(self, peer: bytes, reason: str, *, clean: bool) -> None:
        """Tell pushers what was with a worker; forget a pusher."""
        for transit in self.transits.values():
            lost = transit.lose(peer, clean=clean)
            if lost:
                name = self._ground.name_of(peer)
                words = (
                    f"tells the pushers of {counted(lost, 'job')} of {transit.queue!r} that were with {name}: {reason}"
                )
                self._ground.say(logging.WARNING, "meshmq.jobs", words)
            transit.leave(peer)
            self.busy[transit] = None
        self._seeking = bool(self.transits)

    def seek(self) -> None:
        """Look who pulls, and who of them can be reached."""
        self._seeking = bool(self.transits)

    # -- what goes on ------------------------------------------------------------------------------

    def work(self, now: float) -> None:
        """Send on what may be sent, and answer pushers."""
        if not (self.busy or self._seeking):
            return
        if self._seeking:
            self._seeking = False
            for transit in self.transits.values():
                self._seek(transit, now)
        busy, self.busy = self.busy, {}
        for transit in busy:
            self._pump(transit, now)
            for peer, kind, body in transit.answers(now):
                self._ground.put(peer, kind, body)
            for worker, backlog in transit.offers():
                self._ground.put(worker.peer, Kind.OFFER, pack_offer(transit.queue, backlog))
            if transit.deadline is not None:
                self._ground.soon(transit.deadline)

    def _seek(self, transit: Transit, now: float) -> None:
        """Open a way to every worker of a queue that has pushers."""
        if transit.pushers:
            for peer in self._ground.presence.roster.pullers(transit.queue):
                if self._ground.want(peer.id, now):
                    transit.seek(peer.id)
            self.busy[transit] = None

    def _pump(self, transit: Transit, now: float) -> None:
        room = partial(self._has_room, transit.queue)
        while (worker := transit.best(room)) is not None:
            session = self._ground.sessions[worker.peer]
            session.pump(now, partial(self._next, transit, worker, now), transit.queue)
            if session.deadline is not None:
                self._ground.soon(session.deadline)

    def _next(self, transit: Transit, worker: Worker, now: float) -> tuple[Kind, Sequence[bytes]] | None:
        if transit.best(partial(self._has_room, transit.queue)) is not worker:
            return None
        frames = transit.next_batch(worker, now, self._ground.round_trip)
        self._ground.copies.passes(worker.peer, Kind.JOBS, frames, now)
        return Kind.JOBS, frames

    def _has_room(self, queue: str, peer: bytes) -> bool:
        session = self._ground.sessions.get(peer)
        return session is not None and session.live and session.room() and not session.carries(queue)

    # -- leaving, and time ---------------------------------------------------------------------------

    def drain(self) -> None:
        """Take nothing new: what is here goes back, what workers have is awaited."""
        for transit in self.transits.values():
            transit.draining = True
            self.busy[transit] = None

    @property
    def away(self) -> dict[str, int]:
        """How many jobs of each queue are with workers."""
        return {queue: transit.away for queue, transit in self.transits.items()}

    def owes(self) -> bool:
        """Whether workers have jobs whose pushers would not learn what becomes of them."""
        return any(transit.away or transit.here for transit in self.transits.values())

    def tick(self, now: float) -> None:
        """Send on what there was no room for; share out anew what is not used."""
        for transit in self.transits.values():
            if transit.waiting or transit.alone or (transit.deadline is not None and now >= transit.deadline):
                self.busy[transit] = None

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return earliest(*(transit.deadline for transit in self.transits.values()))
