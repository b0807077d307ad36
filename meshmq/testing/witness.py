"""A witness who was there: what became of every job, whatever the nodes that had it say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from meshmq.consumer import Consumer
from meshmq.core.custody import Input
from meshmq.core.exchange import QUEUE_SHIFT
from meshmq.core.hands import Hand
from meshmq.core.outbox import Outbox
from meshmq.core.participant import Participant
from meshmq.core.runs import Run
from meshmq.core.wants import PLAIN, Outcome, Wants
from meshmq.delivery import HandDelivery
from meshmq.message import Message
from meshmq.wire.batches import Headers
from meshmq.wire.verdicts import Verdict


@dataclass(slots=True)
class Seen:
    """How often one job was executed without being flagged as a repeat, and flagged; and how often that ended well."""

    unflagged: int = 0
    flagged: int = 0
    finished: int = 0


class Witness:
    """Sees every execution of a run, and when a pusher forgets a job; outlives all nodes."""

    def __init__(self) -> None:
        #: By origin and number, as they are on the wire.
        self.jobs: dict[tuple[bytes, int], Seen] = {}
        #: How many jobs their pushers have forgotten, because they were acked.
        self.acked = 0
        #: By pusher, queue and key: the jobs that are not over, in the order in which they were pushed.
        self._lines: dict[tuple[str, str, str], list[tuple[bytes, int]]] = {}
        self._line_of: dict[tuple[bytes, int], list[tuple[bytes, int]]] = {}

    def __repr__(self) -> str:
        return f"<Witness of {len(self.jobs)} jobs>"

    def pushes(self, pusher: str, queue: str, key: str, job: tuple[bytes, int]) -> None:
        """See somebody push a job with a key."""
        line = self._lines.setdefault((pusher, queue, key), [])
        line.append(job)
        self._line_of[job] = line

    def begins(self, message: Message) -> None:
        """See a worker begin with a job.

        Raises:
            AssertionError: it is the second time that nobody says so, or one of its key goes before and is not done.
        """
        job = message._delivery.identity(message._index)
        if (line := self._line_of.get(job)) is not None:
            while line and line[0] != job:
                before = self.jobs.get(line[0])
                assert before is not None, f"{message!r} begins, and one of its key that nobody ever had goes before"
                assert before.finished, f"{message!r} begins, and one of its key goes before and is not done"
                del self._line_of[line.pop(0)]
        seen = self.jobs.setdefault(job, Seen())
        if message.redelivered:
            seen.flagged += 1
        else:
            seen.unflagged += 1
            assert seen.unflagged == 1, f"{message!r} is executed twice without a flag"

    def finishes(self, hand: Hand, index: int) -> None:
        """See a worker be done with a job."""
        self.jobs.setdefault((hand.batch.origin, hand.batch.first + index), Seen()).finished += 1

    def given_up(self, outbox: Outbox, run: Run) -> None:
        """See a pusher give jobs up: dead letters, or too late; nobody of their keys waits for them."""
        for number in range(run.first, run.last + 1):
            job = outbox._outputs._ids.get(number, (outbox.origin, number))
            if (line := self._line_of.pop(job, None)) is not None:
                line.remove(job)

    def forgotten(self, outbox: Outbox, runs: Iterable[Run]) -> None:
        """See a pusher forget jobs.

        Raises:
            AssertionError: nobody has done one of them.
        """
        ids = outbox._outputs._ids
        for run in runs:
            for number in range(run.first, run.last + 1):
                seen = self.jobs.get(ids.get(number, (outbox.origin, number)))
                assert seen is not None, f"job {number} of {outbox.queue!r} is acked, and nobody ever had it"
                assert seen.finished, f"job {number} of {outbox.queue!r} is acked, and was not done"
                self.acked += 1


class WatchedOutbox(Outbox):
    """An outbox that is seen when it forgets."""

    witness: Witness
    pusher: str

    def add(
        self,
        body: bytes,
        buffers: Sequence[bytes],
        headers: Headers | None,
        now: float,
        to: str | None = None,
        inputs: Sequence[Input] = (),
        wants: Wants = PLAIN,
    ) -> int:
        """Take a job."""
        number = super().add(body, buffers, headers, now, to, inputs, wants)
        if wants.key is not None and not inputs:
            self.witness.pushes(self.pusher, self.queue, wants.key, (self.origin, number))
        return number

    def _forget(self, run: Run, outcome: Outcome, reason: str = "") -> None:
        if outcome != "done":
            self.witness.given_up(self, run)
        super()._forget(run, outcome, reason)

    def _undo(self, run: Run, wants: Wants) -> None:
        self.witness.given_up(self, run)
        super()._undo(run, wants)

    def _done(self, runs: Iterable[Run], now: float) -> None:
        done = list(runs)
        self.witness.forgotten(self, done)
        super()._done(done, now)


class WatchedParticipant(Participant):
    """A participant whose outboxes are watched."""

    witness: Witness

    def _open_outbox(self, queue: str) -> Outbox:
        base = (len(self.outboxes) << QUEUE_SHIFT) + 1
        outbox = self.outboxes[queue] = WatchedOutbox(
            queue, self._origin, base, self.settings, self.random, self.ledger
        )
        outbox.witness, outbox.pusher = self.witness, self.presence.card.name
        return outbox


class WatchedConsumer(Consumer):
    """A consumer who is seen when it begins with a job, and when it is done."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        assert isinstance(self.participant, WatchedParticipant)
        self.witness = self.participant.witness
        self._held: list[Message] = []

    def _message(self, value: object, delivery: HandDelivery, index: int) -> Message:
        message = super()._message(value, delivery, index)
        self._held.append(message)
        self.witness.begins(message)
        return message

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
                self.witness.finishes(hand, message._index)

    def tell(self, hand: Hand, index: int, verdict: Verdict | None, delay: float | None, reason: str) -> None:
        """Take an ack or nack by word."""
        if verdict is None:
            self.witness.finishes(hand, index)
        super().tell(hand, index, verdict, delay, reason)

    def _hand(self, message: Message) -> Hand:
        assert isinstance(message._delivery, HandDelivery)
        return message._delivery.hand
