"""Everything a node decides, without I/O: presence, sessions, jobs, topics and calls, joined.

``(connection, frames, now)`` comes in; sends, dials, hang-ups, publications, words and wake-ups go
out. It knows no sockets, threads, clocks, logging or randomness of its own. The engine of a real
node, the in-memory network and the simulator all drive this same object (``links.base.Decider``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from meshmq.core.calls.calls import Calls
from meshmq.core.copies import Copies
from meshmq.core.feed.feed import Feed
from meshmq.core.ledger import Ledger
from meshmq.core.part import Part
from meshmq.core.quiet import Quiet
from meshmq.core.records import Recovered
from meshmq.core.relay.relay import Relay
from meshmq.core.roster import Peer
from meshmq.core.session import Session
from meshmq.names import short
from meshmq.settings import Settings
from meshmq.wire.card import Card, State, pack_card
from meshmq.wire.frames import Kind


class Participant(Quiet):
    """One node's decisions: what its users and its engine call.

    Jobs are its own affair; ``feed`` has the topics and ``calls`` the services.
    """

    def __init__(
        self,
        *,
        node_id: bytes,
        name: str,
        mesh: str,
        settings: Settings,
        random: Random,
        control: tuple[str, ...],
        direct: tuple[str, ...],
        topics: tuple[str, ...] = (),
        now: float,
    ) -> None:
        card = Card(node_id, name, mesh, 1, control=control, direct=direct, topics=topics)
        super().__init__(card, settings, random, now)
        self.feed = Feed(self, now)
        self._stalled = False
        self.calls = Calls(self, now)
        self.relay = Relay(self)
        self._parts: tuple[Part, ...] = (self.feed, self.calls, self.relay)
        self._part_of = {kind: part for part in self._parts for kind in part.kinds}
        self.copies = Copies(self, self.feed, now)
        self._roster_seen = -1
        self.copies.offer(now)

    def __repr__(self) -> str:
        card = self.presence.card
        return f"<Participant {card.name!r} {short(self.node_id)} in {card.mesh!r}, {card.state}>"

    # -- what its parts ask ------------------------------------------------------------------------

    def named(self, to: str) -> bytes | None:
        """Return the node of that name, or of that id in hex; ``None`` where none is here.

        Raises:
            AmbiguousPeer: several bear the name.
        """
        return self.calls.named(to)

    def change_card(self, now: float) -> None:
        """Publish our card anew: what it shows has changed."""
        self._roster_seen = -1
        self._show(now)

    @property
    def takes_detours(self) -> bool:
        """Whether news may come to us through devices: a device hears publishers itself."""
        return not self.relay.topics.counts

    def _refuse(self, queue: str) -> None:
        self.relay.refuse(queue=queue)

    def serves(self, service: str) -> bool:
        """Whether this node serves a name itself."""
        return service in self.calls.served

    def refuse_service(self, service: str) -> None:
        """Refuse to serve a name that this node is a device for.

        Raises:
            ConfigError: it is.
        """
        self.relay.refuse(service=service)

    def names_shown(self) -> int:
        """Return how many names stand on our card: it has room for ``NAMES_LIMIT``."""
        return super().names_shown() + len(self.calls.served) + len(self.relay.forwards)

    # -- what sessions and presence tell -----------------------------------------------------------

    def session_up(self, session: Session, now: float) -> None:
        """Begin to work with a peer."""
        super().session_up(session, now)
        for part in self._parts:
            part.session_up(session.peer, now)

    def session_ended(self, session: Session, reason: str, now: float) -> None:
        """Take back what was with a peer."""
        super().session_ended(session, reason, now)
        for part in self._parts:
            part.session_ended(session.peer, reason, now, clean=reason.endswith("left"))

    def peer_joined(self, peer: Peer, now: float) -> None:
        """Look whether a new card offers what we seek."""
        super().peer_joined(peer, now)
        self._roster_seen = -1

    def _read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        if self.relay.took(peer, kind, frames, now):
            return
        part = self._part_of.get(kind)
        if part is not None:
            part.read(peer, kind, frames, now)
        else:
            super()._read(peer, kind, frames, now)
        if self.copies.tappers:
            self.copies.came(peer, kind, frames, now)

    def _awaits(self, peer: bytes) -> bool:
        return super()._awaits(peer) or any(part.awaits(peer) for part in self._parts)

    def _work_parts(self, now: float) -> None:
        if self._roster_seen != self.presence.roster.version:
            self._roster_seen = self.presence.roster.version
            for part in self._parts:
                part.roster_changed(now)
        for part in self._parts:
            part.work(now)
        self.copies.work(now)

    def refused(self, connection: int, reason: str, address: str, now: float) -> None:
        """Learn that a dial failed."""
        if self.feed.lost(connection, now) or self.relay.topics.lost(connection, now):
            self.deadline = now
        else:
            super().refused(connection, reason, address, now)

    def ended(self, connection: int, now: float) -> None:
        """Learn that a connection is gone."""
        if self.feed.lost(connection, now) or self.relay.topics.lost(connection, now):
            self.deadline = now
        else:
            super().ended(connection, now)

    def overhear(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take one message that a peer published on its topics link."""
        self._notice(now)
        if not self.relay.topics.overhear(connection, frames[0], now):
            self.feed.overhear(connection, frames, now)
        self.deadline = now

    def tuned(self, string: bytes, present: bool, now: float) -> None:
        """Learn of a subscription to our topics link."""
        self._notice(now)
        self.feed.tuned(string, present, now)
        self.relay.topics.tuned(string, present)
        self.deadline = now

    def stall(self, now: float, *, stalled: bool) -> None:
        """Say on our card whether work waits for handlers that make no progress."""
        if stalled != self._stalled:
            self._stalled = stalled
            self._show(now)

    # -- leaving -----------------------------------------------------------------------------------

    def clear_trays(self, now: float, *, close: bool = False) -> None:
        """Take in what pushes and publishes have laid on their trays; with ``close`` nothing more may be laid there."""
        super().clear_trays(now, close=close)
        self.feed.intake.clear(now, close=close)

    def _recover_topics(self, recovered: Recovered, ledger: Ledger) -> None:
        self.feed.intake.durables.recover(recovered, ledger)

    def moved(self, control: tuple[str, ...], topics: tuple[str, ...], direct: tuple[str, ...], now: float) -> None:
        """Learn that our links are bound to other addresses."""
        self._notice(now)
        self.presence.moved(control, topics, direct)
        self._show(now, at_once=True)
        self.minute()

    def drain(self, now: float) -> None:
        """Take no new work, and say so."""
        self.calls.drain(now)
        self.relay.drain()
        self._show(now, state="draining", at_once=True)

    def at_work(self) -> bool:
        """Whether a living worker has a job of ours in its hands."""
        return any(
            peer == self.node_id or self.peer_alive(peer)
            for outbox in self.outboxes.values()
            for peer in outbox.working
        )

    def owes(self, now: float) -> bool:
        """Whether jobs are unconfirmed, or peers have not yet received what we told them."""
        self.clear_trays(now)
        owing = [part.owes(now) for part in self._parts]  # all of them: each does what is left to do
        if any(owing) or any(outbox.owed(served=self._is_served(outbox.queue)) for outbox in self.outboxes.values()):
            return True
        unsettled = [session for session in self.sessions.values() if session.live and not session.settled]
        for session in unsettled:
            session.hurry()
        return bool(unsettled)

    def farewell(self, now: float) -> None:
        """Say goodbye to everybody; nothing is sent after it."""
        self.work(now)
        self._left = True
        self._show(now, state="left", at_once=True)
        for session in list(self.sessions.values()):
            session.close(now)

    def _show(self, now: float, *, state: State | None = None, at_once: bool = False) -> None:
        card = self.presence.card
        changed = replace(
            card,
            number=card.number + 1,
            state=state or card.state,
            pulls=tuple(self.inboxes),
            serves=tuple(self.calls.served),
            publishes=self.feed.publishes,
            subscribes=self.feed.subscribes,
            stalled=self._stalled,
            forwards=self.relay.forwards,
        )
        self.presence.change(changed, now, at_once=at_once)
        for session in self.sessions.values():
            peer = self.roster.get(session.peer)
            if session.live and peer is not None and peer.one_way:
                session.put(Kind.CARD, pack_card(changed))
        self.soon(now)

    # -- time --------------------------------------------------------------------------------------

    def _notice(self, now: float) -> None:
        """Notice that this process stood still: others hold us for lost, what we fetched is theirs."""
        if self.deadline is not None and now > self.deadline + self.settings.grace:
            for inbox in self.inboxes.values():
                inbox.forget_unbegun()
                self._busy_inboxes[inbox.queue] = None

    def tick(self, now: float) -> None:
        """Do everything that is due and all work that is open."""
        self._notice(now)
        self.presence.tick(now)
        for session in list(self.sessions.values()):
            session.tick(now)
        for inbox in [inbox for inbox in self.inboxes.values() if inbox.due(now)]:
            waiting = inbox.tick(now)
            if waiting:
                self.woken.append((("inbox", inbox.queue), waiting))
            self._tell_lapsed(inbox)
            self._busy_inboxes[inbox.queue] = None
        for outbox in self.outboxes.values():
            changed = outbox.wake(now)
            changed = self._expire(outbox, now) or changed
            laid = outbox.clear_tray(now)
            if outbox.tray.room and now >= outbox.tray.due:
                outbox.set_tray(now, laid=laid)
            if outbox.unsent or changed:
                self._busy_outboxes[outbox.queue] = None
        for part in self._parts:
            part.tick(now)
        self.work(now)
        self._prune()
        self.deadline = self._next_deadline(now)

    def _next_deadline(self, now: float) -> float:
        moments: list[float | None] = [self.presence.deadline]
        moments += [session.deadline for session in self.sessions.values()]
        moments += [inbox.deadline for inbox in self.inboxes.values()]
        moments += [outbox.deadline for outbox in self.outboxes.values()]
        moments += [part.deadline for part in self._parts]
        moments += [outbox.tray.due for outbox in self.outboxes.values() if outbox.tray.room]
        return min(moment for moment in moments if moment is not None)

    def _prune(self) -> None:
        """Forget sessions that are over, or never came about, with peers that are gone."""
        for session in [session for session in self.sessions.values() if not session.live]:
            if session.peer not in self.roster:
                session.give_up()
                del self.sessions[session.peer]
