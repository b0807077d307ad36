"""An inbox: what pushers sent to one queue of this node, what is in hand, and what to answer.

Jobs arrive in batches and are taken in *hands*: a part of one batch, given to one consumer. The
consumer steps forward by itself, without the lock; the inbox reads how far it is when it composes
acks. Below ``floor`` all is done, ``floor`` to ``position`` is begun, the rest only fetched.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from meshmq.core.askers import Askers
from meshmq.core.credit import Pace
from meshmq.core.fetched import Fetched, Piece
from meshmq.core.hands import Hand
from meshmq.core.leases import Leases
from meshmq.core.moments import earliest
from meshmq.core.settling import Settling
from meshmq.core.sources import Source
from meshmq.errors import ProtocolError, WouldBlock
from meshmq.settings import Settings
from meshmq.wire.batches import Batch
from meshmq.wire.frames import Kind, pack_acks, pack_grant
from meshmq.wire.verdicts import Verdict

#: A hand is meant to be done in half of this; what is not begun then goes to whoever asks next.
COLLECT_AFTER: Final = 0.01
IDLE_AFTER: Final = 1.0


class Inbox(Settling):
    """All jobs of one queue that are here, and the credit this node grants for more."""

    def __init__(self, queue: str, settings: Settings, prefetch: int | None = None) -> None:
        super().__init__(queue, settings)
        self.pace = Pace(settings, prefetch)
        self._fetched = Fetched()
        self.leases = Leases()
        #: How many leases ran out that nobody was told of yet.
        self.lapsed = 0
        self._askers = Askers()
        self._collect_at: float | None = None
        self.stayed = 0.0
        self.received = 0

    def __repr__(self) -> str:
        return f"<Inbox {self.queue!r} {self.waiting} waiting, {len(self._hands)} in hand>"

    @property
    def waiting(self) -> int:
        """How many jobs are here that no consumer has."""
        return self._fetched.count

    # -- what arrives ------------------------------------------------------------------------------

    def offered(self, peer: bytes, backlog: int) -> None:
        """Learn how many jobs a pusher has waiting."""
        source = self.sources.opened(peer)
        source.backlog, source.dirty = backlog, True

    def awaits(self, peer: bytes) -> bool:
        """Whether a pusher may send more."""
        return peer in self.sources and self.sources[peer].granted

    def receive(self, peer: bytes, batch: Batch, now: float) -> int:
        """Take a batch; returns how many jobs wait now that did not before.

        Raises:
            ProtocolError: it is more than was ever granted.
        """
        source = self.sources.opened(peer)
        if not source.take(batch):
            raise ProtocolError(f"more jobs of {self.queue!r} than it was granted ({source.most:,})")
        self.received += batch.count
        spans = self._new(batch, source) if batch.attempt > 1 else [(0, batch.count)]
        return sum(self._wait(batch, source, now, start, end) for start, end in spans)

    def _wait(self, batch: Batch, source: Source, now: float, start: int, end: int) -> int:
        self._fetched.add(Piece(batch, source, now, start, end))
        if not self._askers:
            self._return_waiting()
        return end - start

    def lost(self, peer: bytes) -> None:
        """Forget what a pusher sent and nobody has begun: it sends it elsewhere."""
        source = self.sources.pop(peer, None)
        if source is None:
            return
        source.gone = True
        self._receipts.forget(peer)
        self._returns.forget(peer)
        dropped = [(piece.batch, piece.start, piece.end) for piece in self._fetched.of(source)]
        for hand in [hand for hand in self._hands if hand.source is source]:
            dropped += [(hand.batch, start, end) for start, end in hand.recall()]
        for batch, start, end in dropped:
            self._give_up(batch.origin, batch.first + start, batch.first + end - 1)

    # -- consumers ---------------------------------------------------------------------------------

    def take(self, consumer: Hashable, now: float, *, limit: int | None = None, lease: float | None = None) -> Hand:
        """Give jobs to a consumer; all of them are begun when ``limit`` is given, else one at a time.

        Of its own ``lease`` and the pusher's the shorter one holds.

        Raises:
            WouldBlock: nothing is here; the consumer is noted as asking.
        """
        if self._askers.ask(consumer):
            self.sources.touch()
        room = self._settings.custody - self.keeping.handled
        piece = self._next_piece(now) if room > 0 else None
        if piece is None:
            raise WouldBlock
        batch, source, arrived, start, end = piece
        lease = min((span for span in (batch.terms.lease, lease) if span is not None), default=None)
        most = limit if limit is not None else self.pace.handful(len(self._askers))
        if self._askers.leave(self):  # who only looked is no consumer more: it looks again if it still waits
            self.sources.touch()
        most = min(most, room) if lease is None else 1  # each has a lease of its own
        if end - start > most:
            self._fetched.put_back(piece._replace(start=start + most))
            end = start + most
        hand = Hand(batch, source, arrived, start, end, consumer, now, start, start, start)
        if limit is not None:
            hand.together = end - 1
        else:
            hand.ahead = iter(range(start + 1, end))
        self._hands[hand] = None
        self._begin(hand)
        self._collect_by(now + COLLECT_AFTER)
        if lease is not None:
            self.leases.begin(hand, lease, now)
        return hand

    def _next_piece(self, now: float) -> Piece | None:
        """Take the next jobs, and give back what expired before."""
        while (piece := self._fetched.take()) is not None and piece.expired(now):
            self._send_back(piece.batch, piece.source, piece.start, piece.end, Verdict.EXPIRED)
        return piece

    def look(self, now: float) -> None:
        """Ask for jobs without taking one; the asking ends by itself after a while."""
        if self._askers.ask(self, now + IDLE_AFTER):
            self.sources.touch()

    def finish(self, hand: Hand, now: float) -> None:
        """Note that a consumer has done all it began of a hand; the rest, if any, goes back."""
        if hand not in self._hands:
            return
        del self._hands[hand]
        unbegun = hand.recall()
        done = hand.floor = hand.end
        self.pace.observe(done - hand.start, now - hand.taken_at)
        self.stayed += (now - hand.arrived) * (done - hand.start)
        self._confirm(hand, done)
        if self.keeping.held(hand) is None:
            self.leases.end(hand)
        self._give_back(hand, unbegun, Verdict.RETURNED)
        self.sources.touch()
        if self._receipts.hold(now, more=self.waiting > 0):
            self._collect_by(now + COLLECT_AFTER)

    def leave(self, consumer: Hashable) -> None:
        """Take back everything from a consumer that left without a word."""
        for hand in [hand for hand in self._hands if hand.consumer == consumer]:
            del self._hands[hand]
            unbegun = hand.recall()
            self._confirm(hand, hand.floor)
            self._give_back(hand, hand.unsaid(hand.floor, hand.end), Verdict.LEFT)
            self._give_back(hand, unbegun, Verdict.RETURNED)
            hand.told = hand.floor = hand.end
        self.leases.leave(consumer)
        for one in self.keeping.of(consumer):
            self.release(one, Verdict.LEFT)
        self._no_more(consumer)

    def end(self, consumer: Hashable) -> None:
        """Take back what a consumer has not begun; it asks for nothing more, and may finish the rest."""
        for hand in [hand for hand in self._hands if hand.consumer == consumer]:
            self._give_back(hand, hand.recall(), Verdict.RETURNED)
        self._no_more(consumer)

    def _no_more(self, consumer: Hashable) -> None:
        self._askers.leave(consumer)
        if not self._askers:
            self._return_waiting()
        self.sources.touch()

    def rest(self, consumer: Hashable, now: float) -> None:
        """Note that a consumer stopped asking for now; unless it asks again soon its jobs go back."""
        self._askers.rest(consumer, now + IDLE_AFTER)

    def say(
        self, hand: Hand, index: int, verdict: Verdict | None, delay: float | None = None, reason: str = ""
    ) -> None:
        """Tell the pusher of an explicit ack (``None``) or nack, which the consumer noted in ``said``."""
        self.leases.end(hand)
        if self._say_of_kept(hand, index, verdict, delay, reason):
            return
        if verdict is None:
            self._done_now(hand, index, index + 1)
        else:
            self._give_back(hand, [(index, index + 1)], verdict, delay, reason)

    # -- answers -----------------------------------------------------------------------------------

    def _begin(self, hand: Hand) -> None:
        if not hand.source.gone:
            self._receipts.begin(hand.source.peer, hand.batch.origin, hand.batch.first + hand.position)

    def _confirm(self, hand: Hand, up_to: int) -> None:
        start, hand.told = hand.told, max(hand.told, up_to)
        for first, end in hand.unsaid(start, up_to):
            self._done_now(hand, first, end)

    def _return_waiting(self) -> None:
        while (piece := self._fetched.take()) is not None:
            self._send_back(piece.batch, piece.source, piece.start, piece.end, Verdict.RETURNED)

    # -- credit and time ---------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return earliest(self._askers.deadline, self._collect_at, self.leases.deadline, self._fetched.deadline)

    def due(self, now: float) -> bool:
        """Whether it has."""
        return (moment := self.deadline) is not None and now >= moment

    def tick(self, now: float) -> int:
        """Collect what consumers did since; returns how many jobs wait now that were in slow hands."""
        waiting = self.waiting
        if self._collect_at is not None and now >= self._collect_at:
            self._collect(now)
        for hand in self.leases.over(now):
            self._take_away(hand)
        for piece in self._fetched.expired(now):
            self._send_back(piece.batch, piece.source, piece.start, piece.end, Verdict.EXPIRED)
        for consumer in self._askers.due(now):
            if any(hand.consumer == consumer for hand in self._hands):
                self._askers.rest(consumer, now + IDLE_AFTER)  # it may finish, and still ask for nothing
            else:
                self.leave(consumer)
        return max(0, self.waiting - waiting)

    def _take_away(self, hand: Hand) -> None:
        """Give back a job whose lease ran out; its consumer may go on, but its word counts no more."""
        if hand.start in hand.said:
            return
        hand.said[hand.start] = Verdict.OVERDUE
        self.lapsed += 1
        if (held := self.keeping.held(hand)) is not None:
            self.release(held, Verdict.OVERDUE)
        else:
            self._give_back(hand, [(hand.start, hand.start + 1)], Verdict.OVERDUE)
            self._no_more(hand.consumer)  # it hangs: what was fetched for it goes to others, until it asks again

    def _collect_by(self, moment: float) -> None:
        self._collect_at = moment if self._collect_at is None else min(moment, self._collect_at)

    def _collect(self, now: float) -> None:
        self._collect_at = None
        self._receipts.release(now)
        for hand in reversed(self._hands):
            if now < hand.taken_at + COLLECT_AFTER:
                self._collect_by(hand.taken_at + COLLECT_AFTER)
                continue
            for start, end in reversed(hand.recall()):
                self._fetched.put_back(Piece(hand.batch, hand.source, hand.arrived, start, end))
            self._confirm(hand, hand.floor)
            self._begin(hand)

    def forget_unbegun(self) -> None:
        """Give back what nobody has begun: this process stood still for longer than ``grace``."""
        self._return_waiting()
        for hand in self._hands:
            self._give_back(hand, hand.recall(), Verdict.RETURNED)

    def answers(self, now: float) -> list[tuple[bytes, Kind, bytes]]:
        """Return the frames that are due to pushers: acks, grants, settlements."""
        self.pace.busy.note(now, busy=bool(self._hands))
        back, frames = self._returns.take(), list[tuple[bytes, Kind, bytes]]()
        if self._receipts.held and self._askers:
            return back
        due = self._receipts.due()
        if not (due or self.sources.dirty):
            return back
        window = self.pace.window(len(self._askers)) if self._askers else 0
        room = self._settings.custody - self.keeping.handled
        self._narrowed = self.keeping.handled > 0 and room < window
        if self._narrowed:  # where nothing is made of jobs they are never in custody
            window = max(0, room)
        for peer, limits in self.sources.news(due, window, self._settings.prefetch_bytes):
            if peer in due:
                frames += ((peer, Kind.ACKS, body) for body in pack_acks(self.queue, *limits, due[peer]))
            else:
                frames.append((peer, Kind.GRANT, pack_grant(self.queue, *limits)))
        return frames + back  # in this order: who gets jobs back must not send them again on credit that is over
