"""How jobs go to and fro: outboxes and inboxes of a node, joined to its sessions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Final

from meshmq.core.inbox import Inbox
from meshmq.core.ledger import Ledger, Store
from meshmq.core.outbox import Outbox
from meshmq.core.part import Aging
from meshmq.core.pulse import PING_AFTER
from meshmq.core.records import Recovered
from meshmq.core.sending import Sending
from meshmq.core.session import Session
from meshmq.errors import ProtocolError
from meshmq.names import counted
from meshmq.settings import Settings
from meshmq.wire.batches import unpack_batch
from meshmq.wire.card import Card, read_card, unpack_body
from meshmq.wire.frames import Kind, unpack_acks, unpack_grant, unpack_offer, unpack_receipt
from meshmq.wire.verdicts import Verdict, unpack_settle

QUEUE_SHIFT: Final = 40


class Exchange(Sending):
    """A node that gives jobs to those who ask for them, and asks for jobs itself."""

    def __init__(self, card: Card, settings: Settings, random: Random, now: float) -> None:
        super().__init__(card, settings, random, now)
        #: Of queues that we pulled once: what was counted, and what the sessions that stand may still bring.
        self.shut: dict[str, Inbox] = {}
        self.progress_at = self.opened_at
        self._origin = self.random.randbytes(16)
        #: What the journal is to be told; ``None`` without one.
        self.ledger: Ledger | None = None
        self._busy_inboxes: dict[str, None] = {}
        self._busy_outboxes: dict[str, None] = {}
        #: The queues for whose jobs everybody who is here was sought.
        self._sought: set[str] = set()
        self._working = False
        self._left = False

    def clear_trays(self, now: float, *, close: bool = False) -> None:
        """Take in what pushes have laid on their trays; with ``close`` nothing more may be laid there."""
        for outbox in self.outboxes.values():
            if close:
                outbox.tray.close()  # before the last look: who lays a job there looks at it after
            if outbox.clear_tray(now):
                self._busy_outboxes[outbox.queue] = None

    def _open_outbox(self, queue: str) -> Outbox:
        base = (len(self.outboxes) << QUEUE_SHIFT) + 1
        outbox = self.outboxes[queue] = Outbox(queue, self._origin, base, self.settings, self.random, self.ledger)
        return outbox

    # -- what sessions bring -----------------------------------------------------------------------

    def session_ended(self, session: Session, reason: str, now: float) -> None:
        """Take back what was with a peer."""
        clean = reason.endswith("left")
        for outbox in self.outboxes.values():
            depth = outbox.depth
            lost = outbox.lose(session.peer, now, clean=clean)
            self._freed(outbox, depth - outbox.depth, now)
            if lost and not self._left:  # what leaving gives up is told by whoever leaves
                words = f"took back {counted(lost, 'job')} of {outbox.queue!r} from {session.name}: {reason}"
                self.say(logging.WARNING, "meshmq.jobs", words)
            self._busy_outboxes[outbox.queue] = None
        for inbox in (*self.inboxes.values(), *self.shut.values()):
            inbox.lost(session.peer)
        for inbox in self.shut.values():
            inbox.forget_done()
        super().session_ended(session, reason, now)

    def aged(self, peer: bytes, one: Aging) -> Aging:
        """Return what a peer sent with the time added for which its chunks came."""
        session = self.sessions.get(peer)
        return replace(one, held=one.held + session.took) if session is not None and session.took else one

    def _read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        if kind is Kind.JOBS:
            batch = self.aged(peer, unpack_batch(frames))
            inbox = self._inbox(batch.queue)
            if inbox is None:
                raise ProtocolError(f"jobs of {batch.queue!r}, which nobody asked for")
            if inbox.receive(peer, batch, now):
                self.woken.append((("inbox", batch.queue), batch.count))
            self._answer(inbox, now)
            return
        body = frames[0]
        if kind is Kind.ACKS:
            acks = unpack_acks(body)
            outbox = self.outboxes.get(acks.queue)
            if outbox is not None:
                outbox.grant(peer, acks.jobs, acks.size)
                self._freed(outbox, outbox.acks(peer, acks.done, now), now)
                self._busy_outboxes[acks.queue] = None
        elif kind is Kind.GRANT:
            queue, jobs, size = unpack_grant(body)
            outbox = self.outboxes.get(queue)
            if outbox is not None:
                outbox.grant(peer, jobs, size)
                self._busy_outboxes[queue] = None
        elif kind is Kind.OFFER:
            queue, backlog = unpack_offer(body)
            inbox = self._inbox(queue)
            if inbox is not None:
                inbox.offered(peer, backlog)
                self._busy_inboxes[queue] = None
        elif kind is Kind.SETTLE:
            said = unpack_settle(body)
            outbox = self.outboxes.get(said.queue)
            if outbox is not None:
                depth = outbox.depth
                outbox.give_back(peer, said, now)
                if said.verdict in (Verdict.LOST, Verdict.BLAMED):
                    what = counted(sum(last - first + 1 for first, last in said.ranges), "job")
                    name = self.sessions[peer].name
                    words = f"took back {what} of {said.queue!r} through {name}: their worker is lost"
                    self.say(logging.WARNING, "meshmq.jobs", words)
                self._freed(outbox, depth - outbox.depth, now)
                self._busy_outboxes[said.queue] = None
        elif kind is Kind.RECEIPT:
            queue, worker, origin, ranges = unpack_receipt(body)
            outbox = self.outboxes.get(queue)
            if outbox is not None:
                outbox.placed(peer, worker, origin, ranges)
        elif kind is Kind.CARD:
            _, fields = unpack_body(body)
            card = read_card(fields)
            if card.node_id != peer:
                raise ProtocolError("a card of somebody else")
            self.presence.heard_by_session(card, now)

    def _expire(self, outbox: Outbox, now: float) -> bool:
        """End what has expired; whether there was any."""
        expired = outbox.expire(now)
        if expired:
            words = f"{counted(expired, 'job')} of {outbox.queue!r} expired: nobody began them within their ttl"
            self.say(logging.WARNING, "meshmq.jobs", words)
            self._freed(outbox, expired, now)
        return expired > 0

    def _tell_lapsed(self, inbox: Inbox) -> None:
        if inbox.lapsed:
            words = f"took {counted(inbox.lapsed, 'job')} of {inbox.queue!r} from who had it: its lease ran out"
            inbox.lapsed = 0
            self.say(logging.WARNING, "meshmq.jobs", words)

    def _awaits(self, peer: bytes) -> bool:
        return any(inbox.awaits(peer) for inbox in (*self.inboxes.values(), *self.shut.values()))

    def _inbox(self, queue: str) -> Inbox | None:
        """Return the inbox of a queue, also where it is shut: what comes then goes back."""
        return self.inboxes.get(queue) or self.shut.get(queue)

    def _freed(self, outbox: Outbox, count: int, now: float) -> None:
        count, outbox.undone = count + outbox.undone, 0
        if count:
            self.progress_at = now
            # Who waits for room is woken when there is some to speak of: else each ack wakes a pusher that
            # fills it up at once, and the two threads hand the interpreter to and fro.
            if outbox.depth <= self.settings.outbox_jobs * 3 // 4:
                self.woken.append((("outbox", outbox.queue), 1_000))
            self.woken.append((("progress",), 1_000))
        if outbox.ended:
            outbox.ended = 0
            self.woken.append((("ended", outbox.queue), 1_000_000))
        if outbox.buried:
            self.say(logging.ERROR, "meshmq.jobs", _buried(outbox.queue, outbox.buried))
            outbox.buried.clear()
        while outbox.free:
            one = outbox.free.pop()
            (self.inboxes.get(one.queue) or self.shut[one.queue]).release(one)
            self._busy_inboxes[one.queue] = None

    # -- what goes to them -------------------------------------------------------------------------

    def work(self, now: float) -> None:
        """Answer pushers, seek workers, send what may be sent."""
        if self._working:
            return
        self._working = True
        try:
            open_work = True
            while open_work:
                self._work_off_staged(now)
                while self._seeking or self._busy_inboxes or self._busy_outboxes or self._local:
                    self._work_off(now)
                self._work_parts(now)
                open_work = self._send_pending(now)
        finally:
            self._working = False
        self._left = False
        if self.ledger is not None:
            self.ledger.hand_over()

    def recover(self, recovered: Recovered, store: Store, now: float) -> None:
        """Keep a journal from now on, and go on with what it holds; before anything is pushed."""
        self.ledger = Ledger(store, self._recorded)
        for (queue, unique), until in recovered.claims.items():
            self._outbox(queue).claims.take(unique, until, now)
        for job in recovered.jobs:
            self._outbox(job.queue).restore(job, now)
        for letter in recovered.letters:
            self._outbox(letter.job.queue).restore_letter(letter)
        self._recover_topics(recovered, self.ledger)
        for outbox in self.outboxes.values():
            self._busy_outboxes[outbox.queue] = None
            self._freed(outbox, 0, now)
        self.work(now)

    def _recover_topics(self, recovered: Recovered, ledger: Ledger) -> None:
        """Go on with what was published to durable topics."""
        raise NotImplementedError

    def _outbox(self, queue: str) -> Outbox:
        return self.outboxes.get(queue) or self._open_outbox(queue)

    def _recorded(self, now: float) -> None:
        """Go on with what is on disk now."""
        for outbox in self.outboxes.values():
            if outbox.recorded:
                outbox.recorded = False
                self.woken.append((("recorded", outbox.queue), 1_000_000))
                self._busy_outboxes[outbox.queue] = None
                self._freed(outbox, 0, now)
        self.work(now)

    def _work_off(self, now: float) -> None:
        if self._seeking:
            self._seeking = False
            self._sought.clear()
            self._busy_outboxes.update((queue, None) for queue, outbox in self.outboxes.items() if outbox.depth)
        busy, self._busy_inboxes = self._busy_inboxes, {}
        for queue in busy:
            inbox = self._inbox(queue)
            if inbox is not None:
                self._answer(inbox, now)
        outboxes, self._busy_outboxes = self._busy_outboxes, {}
        for queue in outboxes:
            outbox = self.outboxes[queue]
            if outbox.depth and queue not in self._sought:
                self._sought.add(queue)
                self._seek(outbox, now)
            self._pump(outbox, now)
            outbox.busy.note(now, busy=outbox.depth > outbox.backlog.idle)
        while self._local:
            kind, frames = self._local.popleft()
            self._read(self.node_id, kind, frames, now)

    def _send_pending(self, now: float) -> bool:
        """Send what sessions still hold; whether more can be done now: a large message has gone, and left its place."""
        gone = False
        laden, self.laden = self.laden, {}
        for line in laden:
            gone = line.send_pending(now) or gone
            # What is sent asks for its cover after that, and what was due before is in the deadline already.
            if self.deadline is None or self.deadline > now + PING_AFTER:
                self._soon_of(line)
        if gone:
            self._busy_outboxes.update((queue, None) for queue, outbox in self.outboxes.items() if outbox.unsent)
        return bool(gone or self._busy_outboxes or self._local)

    def _work_off_staged(self, now: float) -> None:
        """Push what waits in the journal to be pushed."""
        raise NotImplementedError

    def _work_parts(self, now: float) -> None:
        """Let the other patterns send what they may."""
        raise NotImplementedError

    def _answer(self, inbox: Inbox, now: float) -> None:
        for peer, kind, body in inbox.answers(now):
            self.put(peer, kind, body)
        if inbox.reopened:
            inbox.reopened = False
            self.woken.append((("inbox", inbox.queue), inbox.waiting))
        moment = inbox.deadline
        if moment is not None:
            self.soon(moment)


def _buried(queue: str, reasons: list[str]) -> str:
    if len(reasons) == 1:
        return f"a job of {queue!r} is a dead letter now: {reasons[0]}"
    return f"{len(reasons):,} jobs of {queue!r} are dead letters now; the last: {reasons[-1]}"
