"""Everything a node decides, without I/O: presence, sessions, outboxes and inboxes, joined.

``(connection, frames, now)`` comes in; sends, dials, hang-ups, publications, words and wake-ups go
out. It knows no sockets, threads, clocks, logging or randomness of its own. The engine of a real
node, the in-memory network and the simulator all drive this same object (``links.base.Decider``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from random import Random

from meshmq.core.exchange import Exchange
from meshmq.core.hands import Hand
from meshmq.core.inbox import Inbox
from meshmq.errors import ConfigError
from meshmq.names import short
from meshmq.settings import Settings
from meshmq.wire.batches import Headers
from meshmq.wire.card import QUEUES_LIMIT, Card, State, pack_card
from meshmq.wire.frames import (
    Kind,
    Verdict,
)


class Participant(Exchange):
    """One node's decisions: what its users and its engine call."""

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
        now: float,
    ) -> None:
        super().__init__(Card(node_id, name, mesh, 1, "up", control, direct, ()), settings, random, now)

    def __repr__(self) -> str:
        card = self.presence.card
        return f"<Participant {card.name!r} {short(self.node_id)} in {card.mesh!r}, {card.state}>"

    # -- what users do -----------------------------------------------------------------------------

    def push(self, queue: str, body: bytes, buffers: Sequence[bytes], headers: Headers | None, now: float) -> int:
        """Put a job into a queue's outbox; returns its number.

        Raises:
            WouldBlock: the outbox is full.
        """
        outbox = self.outboxes.get(queue)
        if outbox is None:
            outbox = self._open_outbox(queue)
        outbox.clear_tray(now)
        number = outbox.add(body, buffers, headers, now)
        self._busy_outboxes[queue] = None
        self.work(now)
        due = outbox.set_tray(now)
        if due is not None:
            self._soon(due)
        return number

    def open_queue(self, queue: str, prefetch: int | None, now: float) -> Inbox:
        """Pull a queue from now on: it goes on our card.

        Raises:
            ConfigError: there is no room for one more on it.
        """
        inbox = self.inboxes.get(queue)
        if inbox is None:
            if len(self.inboxes) >= QUEUES_LIMIT:
                raise ConfigError(f"a node pulls at most {QUEUES_LIMIT:,} queues at once, and {queue!r} is one more")
            inbox = self.shut.pop(queue, None) or Inbox(queue, self.settings)
            inbox.pace.fixed = prefetch
            self.inboxes[queue] = inbox
            self._change_card(now, pulls=tuple(self.inboxes))
            self._seeking = True
            self.woken.append((("roster",), 1_000_000))
        return inbox

    def close_queue(self, queue: str, now: float) -> None:
        """Stop pulling a queue; nothing of it may be in hand any more."""
        inbox = self.inboxes.get(queue)
        if inbox is not None:
            inbox.forget_unbegun()
            inbox.leave(inbox)  # who only looked, too, asks for nothing any more
            self._answer(inbox, now)
            del self.inboxes[queue]
            inbox.forget_done()
            self.shut[queue] = inbox
            self._change_card(now, pulls=tuple(self.inboxes))
            self.work(now)

    def take(self, queue: str, consumer: Hashable, now: float, limit: int | None = None) -> Hand:
        """Give a consumer jobs of a queue we pull.

        Raises:
            WouldBlock: none is here; more were asked for.
        """
        self._busy_inboxes[queue] = None
        try:
            return self.inboxes[queue].take(consumer, now, limit=limit)
        finally:
            self.work(now)

    def look(self, queue: str, now: float) -> None:
        """Ask for jobs of a queue on behalf of somebody who only looks whether one is there."""
        self._with_inbox(self.inboxes.get(queue), now, lambda inbox: inbox.look(now))

    def finish(self, queue: str, hand: Hand, now: float) -> None:
        """Note that a consumer is done with what it began of a hand."""
        self._with_inbox(self.inboxes.get(queue), now, lambda inbox: inbox.finish(hand, now))

    def leave(self, queue: str, consumer: Hashable, now: float) -> None:
        """Take back what a consumer left without a word."""
        self._with_inbox(self.inboxes.get(queue), now, lambda inbox: inbox.leave(consumer))

    def rest(self, queue: str, consumer: Hashable, now: float) -> None:
        """Note that a consumer stopped asking for now."""
        self._with_inbox(self.inboxes.get(queue), now, lambda inbox: inbox.rest(consumer, now))

    def judge(
        self, queue: str, hand: Hand, index: int, verdict: Verdict | None, delay: float | None, now: float
    ) -> None:
        """Take an explicit ack (``None``) or nack of one job in hand."""
        # Another thread may have shut the inbox since the word was given.
        self._with_inbox(self._inbox(queue), now, lambda inbox: inbox.say(hand, index, verdict, delay))

    def _with_inbox(self, inbox: Inbox | None, now: float, act: Callable[[Inbox], object]) -> None:
        if inbox is not None:
            act(inbox)
            self._busy_inboxes[inbox.queue] = None
            self.work(now)

    def drain(self, now: float) -> None:
        """Take no new work, and say so."""
        self._change_card(now, state="draining", at_once=True)

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
        if any(outbox.depth for outbox in self.outboxes.values()):
            return True
        unsettled = [session for session in self.sessions.values() if session.live and not session.settled]
        for session in unsettled:
            session.hurry()
        return bool(unsettled)

    def farewell(self, now: float) -> None:
        """Say goodbye to everybody; nothing is sent after it."""
        self.work(now)
        self._left = True
        self._change_card(now, state="left", at_once=True)
        for session in list(self.sessions.values()):
            session.close(now)

    def _change_card(
        self, now: float, *, state: State | None = None, pulls: tuple[str, ...] | None = None, at_once: bool = False
    ) -> None:
        card = self.presence.card
        changed = replace(
            card, number=card.number + 1, state=state or card.state, pulls=card.pulls if pulls is None else pulls
        )
        self.presence.change(changed, now, at_once=at_once)
        for session in self.sessions.values():
            peer = self.roster.get(session.peer)
            if session.live and peer is not None and peer.one_way:
                session.put(Kind.CARD, pack_card(changed))
        self._soon(now)

    # -- time --------------------------------------------------------------------------------------

    def _notice(self, now: float) -> None:
        """Notice that this process stood still: others hold us for lost, what we fetched is theirs."""
        if self._deadline is not None and now > self._deadline + self.settings.grace:
            for inbox in self.inboxes.values():
                inbox.forget_unbegun()
                self._busy_inboxes[inbox.queue] = None

    def tick(self, now: float) -> None:
        """Do everything that is due and all work that is open."""
        self._notice(now)
        self.presence.tick(now)
        for session in list(self.sessions.values()):
            session.tick(now)
        for inbox in self.inboxes.values():
            waiting = inbox.tick(now)
            if waiting:
                self.woken.append((("inbox", inbox.queue), waiting))
            self._busy_inboxes[inbox.queue] = None
        for outbox in self.outboxes.values():
            outbox.wake(now)
            laid = outbox.clear_tray(now)
            if outbox.tray.room and now >= outbox.tray.due:
                outbox.set_tray(now, laid=laid)
            if outbox.waiting:
                self._busy_outboxes[outbox.queue] = None
        self.work(now)
        self._prune()
        self._deadline = self._next_deadline(now)

    def _next_deadline(self, now: float) -> float:
        moments: list[float | None] = [self.presence.deadline]
        moments += [session.deadline for session in self.sessions.values()]
        moments += [inbox.deadline for inbox in self.inboxes.values()]
        moments += [outbox.deadline for outbox in self.outboxes.values()]
        moments += [outbox.tray.due for outbox in self.outboxes.values() if outbox.tray.room]
        return min(moment for moment in moments if moment is not None)

    def _prune(self) -> None:
        """Forget sessions that are over, or never came about, with peers that are gone."""
        for session in [session for session in self.sessions.values() if not session.live]:
            if session.peer not in self.roster:
                session.give_up()
                del self.sessions[session.peer]
