"""The nodes of a simulation whose every job somebody watches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any, Final

from meshmq.codecs.base import Buffer
from meshmq.consumer import Consumer
from meshmq.core.custody import Input
from meshmq.core.exchange import QUEUE_SHIFT
from meshmq.core.hands import Hand
from meshmq.core.ledger import Store
from meshmq.core.outbox import Outbox
from meshmq.core.participant import Participant
from meshmq.core.records import Letter, Recovered, StoredJob
from meshmq.core.routes import Route
from meshmq.core.runs import Run
from meshmq.core.wants import PLAIN, Outcome, Wants
from meshmq.delivery import HandDelivery
from meshmq.message import Message
from meshmq.testing.local_clock import WallClock
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.simulation import Simulation
from meshmq.testing.witness import Witness
from meshmq.wire.headers import Headers
from meshmq.wire.verdicts import Settle, Verdict

#: A node is stepped late, and its program, too: by so much what they do may miss its time.
LATE: Final = 0.5


class WatchedOutbox(Outbox):
    """An outbox that is seen when it takes, sends and forgets."""

    participant: WatchedParticipant
    witness: Witness
    pusher: str

    def add(
        self,
        body: bytes,
        buffers: Sequence[Buffer],
        headers: Headers | None,
        now: float,
        to: str | None = None,
        inputs: Sequence[Input] = (),
        wants: Wants = PLAIN,
    ) -> int:
        """Take a job."""
        number = super().add(body, buffers, headers, now, to, inputs, wants)
        if wants is not PLAIN and not inputs:
            job = self.origin, number
            self.witness.ends.begins(job, self.pusher, wants, now, self.participant.to_wall())
            if wants.key is not None:
                self.witness.pushes(self.pusher, self.queue, wants.key, job)
        return number

    def restore(self, job: StoredJob, now: float) -> None:
        """Take a job back from the journal."""
        self.witness.ends.restored(job, self.participant.to_wall())
        super().restore(job, now)

    def retry(self, number: int, now: float) -> None:
        """Give a dead letter another life."""
        self._revived(self.dead.letters[number])
        super().retry(number, now)

    def drop(self, number: int) -> None:
        """Forget a dead letter."""
        self._revived(self.dead.letters[number])
        super().drop(number)

    def _revived(self, letter: Letter) -> None:
        self.witness.ends.revived((letter.job.origin, letter.job.number))

    def _send(self, route: Route, run: Run, backlog: int, now: float) -> list[bytes]:
        if self.witness.ends.lives:
            self.witness.ends.sent(self._jobs(run), now)
        return super()._send(route, run, backlog, now)

    def _fail(self, run: Run, said: Settle, now: float) -> None:
        self._failed(run)
        super()._fail(run, said, now)

    def _suspect(self, back: Iterable[Run], now: float, *, blamed: Iterable[Run]) -> None:
        blamed = list(blamed)
        for run in blamed:
            self._failed(run)
        super()._suspect(back, now, blamed=blamed)

    def _failed(self, run: Run) -> None:
        for job in self._jobs(run):
            self.witness.ends.failed(job, self.participant.sim.now)

    def _note_failure(self, run: Run, due: float | None) -> None:
        for job in self._jobs(run):
            self.witness.ends.pauses(job, due or 0.0)
        super()._note_failure(run, due)

    def _bury(self, run: Run, reason: str, now: float) -> None:
        unreadable = not run.failures
        for job in self._jobs(run):
            self.witness.ends.buried(job, self.participant.sim.now, unreadable=unreadable)
        super()._bury(run, reason, now)

    def _forget(self, run: Run, outcome: Outcome, reason: str = "") -> None:
        if outcome != "done":
            self.witness.given_up(self._jobs(run))
        if outcome == "expired":
            for job in self._jobs(run):
                self.witness.ends.expired(job)
        super()._forget(run, outcome, reason)

    def _undo(self, run: Run, wants: Wants) -> None:
        self.witness.given_up(self._jobs(run))
        super()._undo(run, wants)

    def _done(self, runs: Iterable[Run], now: float) -> None:
        done = list(runs)
        for run in done:
            self.witness.forgotten(self.queue, self._jobs(run))
        super()._done(done, now)

    def _jobs(self, run: Run) -> Iterator[tuple[bytes, int]]:
        """Yield the ids of a run's jobs."""
        ids, origin = self._outputs._ids, self.origin
        for number in range(run.first, run.first + len(run.bodies)):
            yield ids.get(number) or (origin, number)


class WatchedParticipant(Participant):
    """A participant whose outboxes are watched."""

    witness: Witness
    sim: Simulation
    node: SimulatedNode
    wall: WallClock

    def to_wall(self) -> float:
        """Return what the wall clock shows when the node's own shows 0."""
        return self.wall() - self.node.clock.at(self.sim.now)

    def recover(self, recovered: Recovered, store: Store, now: float) -> None:
        """Keep a journal."""
        super().recover(recovered, store, now)
        letters = [letter for outbox in self.outboxes.values() for letter in outbox.dead.letters.values()]
        self.witness.ends.recovered(self.presence.card.name, letters)
        self.witness.comes_again(self.presence.card.name, {(job.origin, job.number) for job in recovered.jobs})

    def _open_outbox(self, queue: str) -> Outbox:
        base = (len(self.outboxes) << QUEUE_SHIFT) + 1
        outbox = self.outboxes[queue] = WatchedOutbox(
            queue, self._origin, base, self.settings, self.random, self.ledger
        )
        outbox.participant, outbox.witness, outbox.pusher = self, self.witness, self.presence.card.name
        return outbox


class WatchedConsumer(Consumer):
    """A consumer who is seen when it begins with a job, and when it is done; too late is not done."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        assert isinstance(self.participant, WatchedParticipant)
        self.witness, self.sim, self.node = self.participant.witness, self.participant.sim, self.participant.node
        self._held: list[Message] = []
        #: Until when what is in hand is its own, by the lease.
        self._until = inf

    def _message(self, value: object, delivery: HandDelivery, index: int) -> Message:
        return self._begins(super()._message(value, delivery, index))

    def quickly(self) -> Iterator[Message]:
        """Go on through what is in hand; each ask is done with the message before."""
        quick = super().quickly()
        while True:
            self._finish()
            message = next(quick, None)
            if message is None:
                return
            yield self._begins(message)

    def _begins(self, message: Message) -> Message:
        self._held.append(message)
        self._lend(self._hand(message))
        self.witness.begins(message)
        return message

    def renew(self, hand: Hand) -> None:
        """Have the lease renewed."""
        if self.engine.now() < self._until - LATE:
            self._lend(hand)
        super().renew(hand)

    def _lend(self, hand: Hand) -> None:
        theirs, ours = hand.batch.terms.lease, self._lease
        if theirs is None and ours is None:
            self._until = inf
        else:
            lease = min(span for span in (theirs, ours) if span is not None)
            self._until = self.engine.now() + lease + LATE

    def next_nowait(self) -> Message:
        """Be done with the message before, and begin with the next."""
        self._finish()
        return super().next_nowait()

    def advance(self) -> tuple[HandDelivery, int]:
        """Be done with what is in hand, and take the next."""
        self._finish()
        return super().advance()

    def settle(self) -> None:
        """Be done with what is in hand."""
        self._finish()
        super().settle()

    def _finish(self) -> None:
        held, self._held = self._held, []
        for message in held:
            hand = self._hand(message)
            if not self.left and message._index not in hand.said and message._index not in hand.kept:
                self._finishes(hand, message._index)

    def tell(self, hand: Hand, index: int, verdict: Verdict | None, delay: float | None, reason: str) -> None:
        """Take an ack or nack by word."""
        if verdict is None:
            self._finishes(hand, index)
        super().tell(hand, index, verdict, delay, reason)

    def _finishes(self, hand: Hand, index: int) -> None:
        now = self.engine.now()
        stood_still = self.sim.now - self.node.disturbed_at < LATE
        if now < self._until or stood_still:
            self.witness.finishes(hand, index)

    def _hand(self, message: Message) -> Hand:
        assert isinstance(message._delivery, HandDelivery)
        return message._delivery.hand
