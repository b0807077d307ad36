"""How jobs leave: ways to devices or workers, and to whom each outbox sends next."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from functools import partial
from random import Random

from meshmq.core.inbox import Inbox
from meshmq.core.outbox import Outbox
from meshmq.core.receiving import Receiving
from meshmq.core.routes import Route
from meshmq.settings import Settings
from meshmq.wire.card import Card
from meshmq.wire.frames import Kind, pack_offer


class Sending(Receiving):
    """A node that gives jobs to those who ask for them."""

    def __init__(self, card: Card, settings: Settings, random: Random, now: float) -> None:
        super().__init__(card, settings, random, now)
        self.outboxes: dict[str, Outbox] = {}
        self.inboxes: dict[str, Inbox] = {}
        self._local: deque[tuple[Kind, Sequence[bytes]]] = deque()

    def put(self, peer: bytes, kind: Kind, body: bytes) -> bool:
        """Send a small frame to a peer, or to ourselves; ``False`` where no session stands."""
        if peer == self.node_id:
            self._local.append((kind, [body]))
            return True
        session = self.sessions.get(peer)
        if session is None or not session.live:
            return False
        session.put(kind, body)
        return True

    def unread(self, peer: bytes) -> int:
        """Return the bytes of requests and answers that wait until a peer reads."""
        session = self.sessions.get(peer)
        return session.unread if session is not None else 0

    def _seek(self, outbox: Outbox, now: float) -> None:
        """Open a way to every device of a queue that has jobs; where there is none, to every worker."""
        queue, roster = outbox.queue, self.presence.roster
        if queue in self.inboxes:
            self._offer(outbox, outbox.open(self.node_id))
        devices, pullers = roster.devices(queue), roster.pullers(queue)
        own = [self.node_id] if queue in self.inboxes else []
        outbox.owners.meet([*own, *(peer.id for peer in pullers)])
        for peer in devices or pullers:
            if self._reach(peer.id, now):
                self._offer(outbox, outbox.open(peer.id, onward=bool(devices)))
        through = {self.node_id, *(peer.id for peer in devices or pullers)}
        for route in outbox.routes.values():
            route.aside = bool(devices) and route.peer not in through
            if route.aside and route.told_backlog > 0:
                self._tell_backlog(outbox, route, 0)

    def _awaited(self, outbox: Outbox) -> list[str]:
        """Return for whom jobs wait that may go; not all of thousands, maybe, who are not here."""
        directed, roster = outbox.backlog.directed, self.presence.roster
        if directed.spread <= len(roster.peers):
            return directed.targets
        here = (*outbox.routes, *(peer.id for peer in roster.pullers(outbox.queue)))
        names = dict.fromkeys(name for peer in here for name in (peer.hex(), self.name_of(peer)))
        return [to for to in names if directed.waiting(to)]

    def _way_to(self, outbox: Outbox, to: str, now: float) -> Route | None:
        """Return the direct way to the one node that is to do some jobs, opened if need be; ``None`` where it waits."""
        bearer, roster = self._bearer(to), self.presence.roster
        if bearer is not None and bearer in outbox.routes:
            return outbox.routes[bearer]
        puller = any(peer.id == bearer for peer in roster.pullers(outbox.queue))
        if bearer is None or not puller or not self._reach(bearer, now):
            return None
        route = outbox.open(bearer)
        route.aside = bool(roster.devices(outbox.queue))
        self._tell_backlog(outbox, route, outbox.backlog.directed.waiting(to))
        return route

    def _is_served(self, queue: str) -> bool:
        """Whether somebody would take jobs of a queue."""
        roster = self.presence.roster
        return queue in self.inboxes or bool(roster.pullers(queue) or roster.devices(queue))

    def _reach(self, peer: bytes, now: float) -> bool:
        """Ask for a session with a peer; whether one stands."""
        session = self._session(peer)
        if not session.live:
            session.want(now)
            self.soon(now)
        return session.live

    def _offer(self, outbox: Outbox, route: Route) -> None:
        asks = outbox.waiting and route.free <= 0 and not route.told_backlog
        if route.told_backlog < 0 or asks:
            self._tell_backlog(outbox, route, outbox.waiting)
        elif route.onward and not outbox.waiting and route.told_backlog > 0:
            self._tell_backlog(outbox, route, 0)  # what it granted may go to others

    def _tell_backlog(self, outbox: Outbox, route: Route, backlog: int) -> None:
        route.told_backlog = backlog
        self.put(route.peer, Kind.OFFER, pack_offer(outbox.queue, backlog))

    def _pump(self, outbox: Outbox, now: float) -> None:
        outbox.place_keys(now)
        while outbox.owners.untold:
            name = self.name_of(outbox.owners.untold.pop())
            words = f"{name} pulls {outbox.queue!r} and takes no jobs: for now its keys are others'"
            self.say(logging.WARNING, "meshmq.jobs", words)
        room = partial(self._has_room, outbox.queue)
        while (route := outbox.best(room)) is not None:
            if route.peer == self.node_id:
                self._give_here(outbox, route, outbox.next_batch(route, now))
                continue
            session = self.sessions[route.peer]
            session.pump(now, partial(self._next_jobs, outbox, route.peer, now), outbox.queue)
            self._soon_of(session)
        for to in self._awaited(outbox):
            self._pump_directed(outbox, to, now)
        for route in outbox.routes.values():
            if not route.aside:
                self._offer(outbox, route)
        if outbox.deadline is not None:
            self.soon(outbox.deadline)

    def _give_here(self, outbox: Outbox, route: Route, frames: Sequence[bytes]) -> None:
        """Take jobs ourselves; some not before the journal knows it."""

        def give(error: Exception | None = None, now: float = 0.0) -> None:  # also where the disk is full
            self._local.append((Kind.JOBS, frames))

        run = route.flights[-1]
        if not outbox.note_taken(run, give, lone=run.first == route.lone):
            give()

    def _pump_directed(self, outbox: Outbox, to: str, now: float) -> None:
        """Send jobs to the one node that is to do them, if it is here and has room."""
        route, directed = self._way_to(outbox, to, now), outbox.backlog.directed
        if route is None:
            return
        peer = route.peer

        def source() -> tuple[Kind, Sequence[bytes]] | None:
            if not outbox.may_go(route, to) or not self._has_room(outbox.queue, peer):
                return None
            return Kind.JOBS, outbox.next_directed(route, to, now, self._piece(peer))

        if peer == self.node_id:
            while (found := source()) is not None:
                self._give_here(outbox, route, found[1])
        else:
            self.sessions[peer].pump(now, source, outbox.queue)
            self._soon_of(self.sessions[peer])
        if directed.waiting(to) and route.free <= 0 and not route.told_backlog:
            self._tell_backlog(outbox, route, directed.waiting(to))

    def _bearer(self, to: str) -> bytes | None:
        raise NotImplementedError

    def name_of(self, peer: bytes) -> str:
        """Return the name of a peer, or our own."""
        raise NotImplementedError

    def _next_jobs(self, outbox: Outbox, peer: bytes, now: float) -> tuple[Kind, Sequence[bytes]] | None:
        route = outbox.best(partial(self._has_room, outbox.queue))
        if route is None or route.peer != peer:
            return None
        return Kind.JOBS, outbox.next_batch(route, now, self._piece(peer))

    def _piece(self, peer: bytes) -> int:
        """Return how many bytes a peer's line carries in a moment."""
        session = self.sessions.get(peer)
        return session.piece if session is not None else 0

    def _has_room(self, queue: str, peer: bytes) -> bool:
        if peer == self.node_id:
            return True
        session = self.sessions.get(peer)
        return session is not None and session.room() and not session.carries(queue)
