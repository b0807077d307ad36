"""One user of a subscription, and what its messages know of where they come from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol

from meshmq.codecs.base import Codec
from meshmq.core.feed.subscription import Leaf, Subscription
from meshmq.core.participant import Participant
from meshmq.errors import ClosedError, ConfigError, DecodeError, Overflowed, WouldBlock
from meshmq.links.engine import Engine
from meshmq.message import Message
from meshmq.names import TAP
from meshmq.reading import UNREADABLE, read_values


class Hearing(Protocol):
    """What a listener takes from: a subscription that is open, and how its messages are read."""

    subscription: Subscription | None
    #: What it makes of what comes.
    messages: type[Message]

    @property
    def key(self) -> Hashable:
        """The line of those who wait for a message."""

    @property
    def title(self) -> str:
        """What words call it."""

    def opened(self) -> tuple[Engine, Participant]:
        """Return what it was opened with."""

    def message(self, delivery: LeafDelivery, index: int) -> Message | None:
        """Return the message at an index; ``None`` where it cannot be decoded."""

    def read(self, delivery: LeafDelivery, index: int) -> Read:
        """Decode the value at an index, and some of those that follow."""


#: Values that are decoded: the first of their indices, the one after the last, and they themselves.
Read = tuple[int, int, Sequence[object]]
#: Of a copy that cannot be decoded here: why. Its data is the bytes of the value.
UNREADABLE_HEADER: Final = "meshmq-unreadable"
#: So many values are decoded at a time: of what overflows meanwhile little was decoded for nothing.
READ_TOGETHER: Final = 64
_NO_JOB: Final = "what is published has no ack that could wait; subscribe with group=, and it comes as a job"


class LeafDelivery:
    """Says to its messages where they come from; acks and nacks mean nothing to them."""

    __slots__ = ("_heard", "attempt", "leaf", "queue", "read")

    def __init__(self, heard: Hearing, leaf: Leaf) -> None:
        self._heard, self.leaf = heard, leaf
        #: Replaced as one: threads may share a listener.
        self.read: Read = (0, 0, ())
        self.queue, self.attempt = "", 1

    def identity(self, index: int) -> tuple[bytes, int]:
        """Return the publisher and the number of the message at ``index``."""
        return self.leaf.span.news.publisher, self.leaf.span.news.first + index

    def seq(self, index: int) -> int:
        """Return the number of the message at ``index`` among all of its topic and publisher."""
        return self.leaf.span.news.first + index

    def topic(self, index: int) -> str:
        """Return the topic."""
        return self.leaf.span.news.topic

    def gap(self, index: int) -> int:
        """Return how many messages before the one at ``index`` were missed."""
        return self.leaf.gap if index == self.leaf.span.start else 0

    def sender(self) -> str:
        """Return the name of the node that published."""
        return self._heard.opened()[1].name_of(self.leaf.span.news.publisher)

    def via(self) -> str:
        """Return the name of the device that it came through, "" where it came directly."""
        via = self.leaf.span.news.via
        return self._heard.opened()[1].name_of(via) if via else ""

    def age(self) -> float:
        """Return the seconds since it was published."""
        engine, participant = self._heard.opened()
        span = self.leaf.span
        way = participant.round_trip(span.news.via or span.news.publisher) / 2
        return span.news.held + way + engine.now() - span.arrived

    def headers(self, index: int) -> dict[str, str]:
        """Return the headers of the message at ``index``."""
        return dict(self.leaf.span.news.headers.get(index, ()))

    def say(
        self, index: int, *, acked: bool, delay: float | None = None, reason: str = "", final: bool = False
    ) -> None:
        """Take an ack or nack: nobody waits for it."""

    def extend(self) -> None:
        """Renew no lease: there is none on what was published."""

    def keep(self, index: int) -> None:
        """Refuse: there is no ack to wait for.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"hold(): {_NO_JOB}")

    def push(self, messages: Sequence[Message], queue: str, data: object, **options: Any) -> Any:
        """Refuse: there is no ack that could wait for what is pushed.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"push(): {_NO_JOB}; or push with node.push")


def read_leaf(
    codec: Codec, delivery: LeafDelivery, index: int, refuse: Callable[[LeafDelivery, int, DecodeError], object]
) -> Read:
    """Decode the value at an index of a leaf, and some of those that follow; ``refuse`` is told which cannot be."""
    span = delivery.leaf.span
    end = min(index + READ_TOGETHER, span.end)
    copied = span.news.topic.startswith(TAP)
    values = read_values(codec, span.news, index, end, partial(_mark_unreadable if copied else refuse, delivery))
    if copied:  # whoever taps has not always what those have to whom it was sent, and sees it as it came
        bodies = enumerate(values, index)
        values = [bytes(span.news.body(at)) if value is UNREADABLE else value for at, value in bodies]
    delivery.read = index, end, values
    return delivery.read


def _mark_unreadable(delivery: LeafDelivery, index: int, error: DecodeError) -> None:
    """Say in the headers of a copy that its data is not what was sent, but how it was encoded."""
    delivery.leaf.span.news.headers.setdefault(index, {})[UNREADABLE_HEADER] = str(error)


class Listener:
    """One user of a subscription; a ``Taker``."""

    def __init__(self, heard: Hearing, owner: object) -> None:
        self._heard = heard
        #: The receiver, which nobody else may hold.
        self.owner = owner
        self.left = False
        self._ended = False
        self._delivery: LeafDelivery | None = None

    def __repr__(self) -> str:
        return f"<Listener to {self._heard.title}>"

    def next_nowait(self) -> Message:
        """Return the next message.

        Raises:
            WouldBlock: none is here.
            ClosedError: the node or the subscription is closed.
            Overflowed: it had no more room, by ``overflow="disconnect"``, and all that was here is taken.
        """
        delivery = self._delivery
        while True:
            index = next(delivery.leaf.ahead, -1) if delivery is not None and not self.left else -1
            if delivery is None or index < 0:
                engine, _ = self._heard.opened()
                with engine.gate:
                    delivery, index = self.advance()
            message = self._heard.message(delivery, index)
            if message is not None:
                return message

    def quickly(self) -> Iterator[Message]:
        """Yield the rest of what is in hand, without the gate."""
        delivery = self._delivery
        if delivery is None:
            return
        (start, end, values), new = delivery.read, self._heard.messages
        for index in delivery.leaf.ahead:
            if not start <= index < end:
                start, end, values = self._heard.read(delivery, index)
            value = values[index - start]
            if value is UNREADABLE:
                continue
            message = new()
            message.data, message._delivery, message._index = value, delivery, index
            yield message
            if self.left:
                return

    def advance(self) -> tuple[LeafDelivery, int]:
        """Take the next message; inside the gate."""
        delivery = self._delivery
        index = next(delivery.leaf.ahead, -1) if delivery is not None else -1
        if delivery is not None and index >= 0:
            return delivery, index
        leaf = self._take()
        taken = self._delivery = LeafDelivery(self._heard, leaf)
        return taken, leaf.span.start

    def advance_many(self, limit: int) -> tuple[LeafDelivery, list[int]]:
        """Take the next messages, at most ``limit``; inside the gate."""
        delivery, first = self.advance()
        return delivery, [first, *islice(delivery.leaf.ahead, limit - 1)]

    def _take(self) -> Leaf:
        engine, participant = self._heard.opened()
        engine.catch_up()
        engine.check()
        subscription = self._heard.subscription
        if self.left or self._ended or subscription is None or subscription.closed:
            self._finish()
            raise ClosedError(f"the receiver of {self._heard.title} is closed")
        self._finish()
        try:
            leaf = participant.feed.take(subscription, self, engine.now())
        finally:
            engine.flush()
        if leaf is None:
            if subscription.disconnected:
                raise Overflowed(self._heard.title, subscription.missed)
            raise WouldBlock
        return leaf

    def _finish(self) -> None:
        delivery, self._delivery = self._delivery, None
        if delivery is not None and self._heard.subscription is not None:
            self._heard.subscription.finish(delivery.leaf)

    def open_one(self, taken: tuple[LeafDelivery, int]) -> Message | None:
        """Decode what ``advance`` took."""
        return self._heard.message(*taken)

    def open_many(self, taken: tuple[LeafDelivery, list[int]]) -> list[Message]:
        """Decode what ``advance_many`` took."""
        delivery, indices = taken
        opened = (self._heard.message(delivery, index) for index in indices)
        return [message for message in opened if message is not None]

    def settle(self) -> None:
        """Nothing: nobody waits for what is done with it."""

    def rest(self) -> None:
        """Nothing: messages come whether anybody asks or not."""

    def end(self) -> None:
        """Take nothing new; who waits learns that it is over."""
        self._ended = True
        self._leave_soon()
        engine, participant = self._heard.opened()
        engine.post(lambda: participant.woken.append((self._heard.key, 1_000_000)))

    def leave(self) -> None:
        """Give back what is not begun, for others of the same receiver."""
        if not self.left:
            self.left = True
            self._leave_soon()

    def _leave_soon(self) -> None:
        self._heard.opened()[0].post(self._finish)
