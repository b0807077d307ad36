"""What every receiver of jobs does, without waiting: takes hands, opens messages, tells progress."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Final

from meshmq.blame import text_of
from meshmq.codecs.base import Codec
from meshmq.core.hands import Hand
from meshmq.core.participant import Participant
from meshmq.delivery import HandDelivery
from meshmq.errors import ClosedError, DecodeError
from meshmq.links.engine import Engine
from meshmq.message import Message, Outlet
from meshmq.reading import UNREADABLE, read_values
from meshmq.wire.verdicts import Verdict

#: So many jobs are decoded at a time.
READ_TOGETHER: Final = 256

_logger: Final = logging.getLogger("meshmq.jobs")


class Consumer:
    """One user of one queue: a receiver, or one loop over it.

    Threads that share one share the job in hand, too: each is given other jobs, and whoever asks for
    the next acks those before.
    """

    def __init__(
        self,
        engine: Engine,
        participant: Participant,
        codec: Codec,
        queue: str,
        outlet: Outlet,
        *,
        receipt: bool = False,
        lease: float | None = None,
        owner: object = None,
    ) -> None:
        self.engine, self.queue = engine, queue
        self.participant, self._codec = participant, codec
        self.outlet, self._new = outlet, outlet._messages
        self._delivery: HandDelivery | None = None
        #: The hand that ``next_nowait`` goes through without the lock.
        self.quick: HandDelivery | None = None
        self.receipt, self._lease = receipt, lease
        #: The receiver, which nobody else may hold: it is there as long as its inbox knows this consumer.
        self.owner = owner
        self.left = self._ended = False

    def __repr__(self) -> str:
        return f"<Consumer of {self.queue!r}>"

    def next_nowait(self) -> Message:
        """Ack the message before and return the next.

        Raises:
            WouldBlock: none is here; more were asked for.
            ClosedError: the node or the receiver is closed.
        """
        while True:
            # The quick way, without the lock: the inbox reads ``floor`` when it composes acks.
            if (delivery := self.quick) is not None and not self.left:
                hand = delivery.hand
                if (index := hand.step()) >= 0:
                    value = self._value(delivery, index)
                    if value is not UNREADABLE:
                        return self._message(value, delivery, index)
                    continue
            with self.engine.gate:
                taken = self.advance()
            opened = self.open_one(taken)
            if opened is not None:
                return opened

    def quickly(self) -> Iterator[Message]:
        """Yield the rest of the hand, without the lock; each ask acks the message before."""
        if (delivery := self.quick) is None or self.left:
            return
        hand, receipt, new, unreadable = delivery.hand, self.receipt, self._new, UNREADABLE
        start, end, values = delivery.read
        for index in hand.ahead:
            hand.floor = index
            if index >= end:
                start, end, values = self._decode(delivery, index)
            value = values[index - start]
            if value is unreadable:
                continue
            message = new()
            message.data = value
            message._delivery = delivery
            message._index = index
            if receipt:
                message.ack()
            yield message
            if self.left:
                return

    def advance_many(self, limit: int) -> tuple[HandDelivery, list[int]]:
        """Move on to the next jobs, at most ``limit``; inside the gate. Returns what ``open_many`` takes.

        Raises:
            WouldBlock: nothing is here.
            ClosedError: the node or the receiver is closed.
        """
        delivery, first = self.advance()
        hand = delivery.hand
        indices = [first, *islice(hand.ahead, limit - 1)]
        hand.together = indices[-1]
        return delivery, indices

    def open_many(self, taken: tuple[HandDelivery, list[int]]) -> list[Message]:
        """Decode the jobs ``advance_many`` returned; those that cannot be are refused and left out."""
        delivery, indices = taken
        opened = (self.open_one((delivery, index)) for index in indices)
        return [message for message in opened if message is not None]

    def open_one(self, taken: tuple[HandDelivery, int]) -> Message | None:
        """Decode the job ``advance`` moved to; ``None`` where it cannot be, and is refused."""
        delivery, index = taken
        value = self._value(delivery, index)
        return None if value is UNREADABLE else self._message(value, delivery, index)

    def _message(self, value: object, delivery: HandDelivery, index: int) -> Message:
        message = self._new()
        message.data, message._delivery, message._index = value, delivery, index
        if self.receipt:
            message.ack()
        return message

    def advance(self) -> tuple[HandDelivery, int]:
        """Move on by one job, into the next hand where this one is done; inside the gate.

        Raises:
            WouldBlock: nothing is here; more was asked for.
            ClosedError: the node or the receiver is closed.
        """
        delivery = self._delivery
        if delivery is None:
            self.engine.catch_up()  # a loop that was left just now is not counted beside this one
        self.engine.check()
        if self.left or self.queue not in self.participant.inboxes:
            raise self._closed()
        now = self.engine.now()
        done = None
        try:
            if delivery is not None:
                index = delivery.hand.step()
                if index >= 0:
                    return delivery, index
                self._delivery = self.quick = None
                done = delivery.hand
                if self._ended:
                    self.participant.finish(self.queue, done, now)
            if self._ended:
                raise self._closed()
            hand = self.participant.take(self.queue, self, now, lease=self._lease, done=done)
            delivery = self._delivery = HandDelivery(self, hand)
            return delivery, hand.start
        finally:
            self.engine.flush()

    def settle(self) -> None:
        """Ack what is in hand, without asking for more."""
        with self.engine.gate:
            delivery, self._delivery = self._delivery, None
            if delivery is not None and not self.engine.closed:
                self.participant.finish(self.queue, delivery.hand, self.engine.now())
                self.engine.flush()

    def rest(self) -> None:
        """Say that nobody asks just now."""
        with self.engine.gate:
            if not self.engine.closed:
                self.participant.rest(self.queue, self, self.engine.now())
                self.engine.flush()

    def end(self) -> None:
        """Take no more jobs: the one in hand stays, the others go back; who asks next is told that it is closed."""
        if not self._ended:
            self._ended = True
            self.engine.post(partial(self._end, self.queue))

    def _end(self, queue: str) -> None:
        self.participant.end(queue, self, self.engine.now())
        self.participant.woken.append((("inbox", queue), 1_000_000))  # it is among them, and learns that it is over

    def _closed(self) -> ClosedError:
        return ClosedError(f"the receiver of {self.queue!r} is closed")

    def leave(self) -> None:
        """Give back what is in hand, without a word on it; from anywhere, ``__del__`` too."""
        if not self.left:
            self.left = True
            self.engine.post(partial(self._leave, self.queue))

    def _leave(self, queue: str) -> None:
        self._delivery = self.quick = None
        self.participant.leave(queue, self, self.engine.now())

    def tell(self, hand: Hand, index: int, verdict: Verdict | None, delay: float | None, reason: str) -> None:
        """Have the pusher told of an explicit ack or nack, in the next step."""
        self.engine.post(partial(self._say, hand, index, verdict, delay, reason))

    def _say(self, hand: Hand, index: int, verdict: Verdict | None, delay: float | None, reason: str) -> None:
        self.participant.judge(self.queue, hand, index, verdict, delay, self.engine.now(), reason)

    def renew(self, hand: Hand) -> None:
        """Have the lease on a hand renewed, in the next step."""
        self.engine.post(lambda: self.participant.extend(hand, self.engine.now()))

    def _value(self, delivery: HandDelivery, index: int) -> object:
        start, end, values = delivery.read
        if not start <= index < end:
            start, end, values = self._decode(delivery, index)
        return values[index - start]

    def _decode(self, delivery: HandDelivery, index: int) -> tuple[int, int, list[object]]:
        """Decode a job, and some of those that follow: a whole hand would not stay in the processor's caches."""
        hand = delivery.hand
        # Its end may have been brought forward since: the job at the index was there still.
        end = max(index + 1, min(index + READ_TOGETHER, hand.end))
        values = read_values(self._codec, hand.batch, index, end, partial(self._refuse, delivery))
        delivery.read = read = index, end, values
        self.quick = delivery
        return read

    def _refuse(self, delivery: HandDelivery, index: int, error: DecodeError) -> None:
        """Say that a job cannot be decoded, unless it is not here any more or another thread said so."""
        sender, hand = delivery.sender(), delivery.hand
        _logger.error("a job of %r from %s cannot be decoded and is refused: %s", self.queue, sender, error)
        with self.engine.gate:
            if hand.holds(hand.batch.origin, hand.batch.first + index) and not self.engine.closed:
                hand.said[index] = Verdict.REJECTED
                self._say(hand, index, Verdict.REJECTED, None, f"a worker cannot decode it: {text_of(error)}")
                self.engine.flush()
