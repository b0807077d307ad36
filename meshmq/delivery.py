"""What the jobs of one hand know of their delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from meshmq.checks import check_delay, check_reason
from meshmq.core.exchange import QUEUE_SHIFT
from meshmq.core.feed.groups import SEQ_HEADER, TOPIC_HEADER
from meshmq.core.hands import Hand
from meshmq.core.participant import Participant
from meshmq.errors import ConfigError
from meshmq.links.engine import Engine
from meshmq.message import Message, Outlet
from meshmq.names import GROUP
from meshmq.wire.verdicts import Verdict

QUEUE_MASK: Final = (1 << QUEUE_SHIFT) - 1


class Teller(Protocol):
    """Who has the hand, and tells the pusher what becomes of it."""

    engine: Engine
    participant: Participant
    outlet: Outlet

    def tell(self, hand: Hand, index: int, verdict: Verdict | None, delay: float | None, reason: str) -> None:
        """Have the pusher told of an explicit ack or nack, in the next step."""

    def renew(self, hand: Hand) -> None:
        """Have the lease on a hand renewed, in the next step."""


class HandDelivery:
    """Says to its messages where they come from, and to the pusher what becomes of them."""

    __slots__ = ("_consumer", "attempt", "hand", "queue", "read")

    def __init__(self, consumer: Teller, hand: Hand) -> None:
        self._consumer, self.hand = consumer, hand
        #: What the jobs from one index to before another hold; of a hand of 2,000 only some are decoded at a time.
        self.read: tuple[int, int, list[object]] = 0, 0, []
        self.queue, self.attempt = hand.batch.queue, hand.batch.attempt

    def identity(self, index: int) -> tuple[bytes, int]:
        """Return the origin and number of the job at ``index``."""
        return self.hand.batch.origin, self.hand.batch.first + index

    def seq(self, index: int) -> int:
        """Return its number among all jobs of this queue, or, in a group, among all messages of its topic."""
        told = self._told(index).get(SEQ_HEADER, "")
        return int(told) if told.isdecimal() else self.identity(index)[1] & QUEUE_MASK

    def topic(self, index: int) -> str:
        """Return the topic of what a group gets."""
        return self._told(index).get(TOPIC_HEADER, "")

    def gap(self, index: int) -> int:
        """Return 0: no job is missed."""
        return 0

    def _told(self, index: int) -> dict[str, str]:
        return self.hand.batch.headers.get(index, {}) if self.queue.startswith(GROUP) else {}

    def sender(self) -> str:
        """Return the name of the node that pushed."""
        hand = self.hand
        return self._consumer.participant.name_of(hand.batch.pusher or hand.source.peer)

    def via(self) -> str:
        """Return the name of the device that it came through."""
        hand = self.hand
        return self._consumer.participant.name_of(hand.source.peer) if hand.batch.pusher else ""

    def age(self) -> float:
        """Return the seconds since the job was pushed."""
        hand = self.hand
        here = self._consumer.engine.now() - hand.arrived
        return hand.batch.held + self._consumer.participant.round_trip(hand.source.peer) / 2 + here

    def headers(self, index: int) -> dict[str, str]:
        """Return the headers of the job at ``index``."""
        headers = dict(self.hand.batch.headers.get(index, ()))
        if self.queue.startswith(GROUP):
            headers.pop(TOPIC_HEADER, None)
            headers.pop(SEQ_HEADER, None)
        return headers

    def say(
        self, index: int, *, acked: bool, delay: float | None = None, reason: str = "", final: bool = False
    ) -> None:
        """Take an ack or nack, which may be ``final``; a second one is ignored."""
        check_delay(delay)
        reason = check_reason(reason)
        hand = self.hand
        if index in hand.said or (index < hand.floor and index not in hand.kept):
            return
        # Noted at once, so that asking for the next message cannot ack it first; told in the next step.
        verdict = None if acked else Verdict.REJECTED if final else Verdict.REFUSED
        hand.said[index] = verdict
        self._consumer.tell(hand, index, verdict, delay, reason)

    def extend(self) -> None:
        """Renew the lease on the hand, which holds one job where there is a lease."""
        self._consumer.renew(self.hand)

    def keep(self, index: int) -> None:
        """Have the job confirmed by word alone.

        Raises:
            ConfigError: it was confirmed or given back before.
        """
        consumer, hand = self._consumer, self.hand
        with consumer.engine.gate:
            consumer.engine.check()
            if not hand.holds(hand.batch.origin, hand.batch.first + index) or index < hand.floor:
                raise ConfigError("hold(): this job was confirmed or given back before: hold it while it is in hand")
            hand.kept.add(index)
            consumer.participant.keep(hand, index)

    def push(self, messages: Sequence[Message], queue: str, data: object, **options: Any) -> Any:
        """Push what was made of jobs of this node.

        Raises:
            ConfigError: one is none.
        """
        made_of = []
        for message in messages:
            delivery = message._delivery
            if (
                not isinstance(delivery, HandDelivery)
                or delivery._consumer.participant is not self._consumer.participant
            ):
                raise ConfigError(f"push(also=...): {message!r} is no job that this node pulled, and cannot be joined")
            made_of.append((delivery.hand, message._index))
        return self._consumer.outlet._push_made(made_of, queue, data, **options)
