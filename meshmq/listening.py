"""Topics, as what a receiver takes from: one subscription, its own; or a group's queue, shared with others."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from typing import Any, Final

from meshmq.checks import check_limit
from meshmq.codecs.base import Codec
from meshmq.core.feed.groups import group_queue
from meshmq.core.feed.subscription import OVERFLOWS, Leaf, Span, Subscription
from meshmq.core.participant import Participant
from meshmq.errors import ClosedError, ConfigError, DecodeError, WouldBlock
from meshmq.links.engine import Engine
from meshmq.listener import LeafDelivery, Listener, Read, read_leaf
from meshmq.message import Message, Outlet
from meshmq.names import TAP, check_name, check_pattern, counted
from meshmq.pulling import Jobs
from meshmq.reading import UNREADABLE
from meshmq.supply import Taker
from meshmq.waiting import Wish
from meshmq.wire.fields import NUMBERS
from meshmq.wire.subscribing import Since

_logger: Final = logging.getLogger("meshmq.topics")


def check_since(since: object) -> Since | None:
    """Return ``since`` as a publisher understands it.

    Raises:
        ConfigError: it is none of the ways to say it.
    """
    if since is None or since == "first" or since == "last":
        return since
    most = NUMBERS if isinstance(since, int) else 1e9
    if isinstance(since, bool) or not isinstance(since, int | float) or not 0 <= since < most:
        raise ConfigError(
            f"subscribe(since={since!r}): it is 'first' or 'last', a whole number (of a message), or seconds as float"
        )
    return since


def check_patterns(patterns: Sequence[object]) -> tuple[str, ...]:
    """Return patterns, each once.

    Raises:
        NameInvalid: one of them cannot be a pattern.
    """
    return tuple(dict.fromkeys(map(check_pattern, patterns)))


def _known(participant: Participant, subscription: Subscription, taker: Taker[Message], title: str) -> Wish[None]:
    """Wish that all publishers who are here know of a subscription: a round trip to each."""

    def attempt(now: float, since: float) -> None:
        if taker.left:
            raise ClosedError(f"the receiver of {title} is closed")
        if not participant.feed.ready(subscription, now):
            raise WouldBlock

    key = ("ready", subscription.number)
    return Wish(key, attempt, lambda: f"publishers to know of {title}", retry=0.02, takes=False)


def _words(participant: Participant | None, title: str) -> str:
    return f"a message of {title}; {counted(len(participant.roster) if participant is not None else 0, 'peer')} here"


class Heard:
    """The messages of one subscription; a ``Supply``."""

    def __init__(
        self,
        codec: Codec,
        messages: type[Message],
        patterns: Sequence[object],
        *,
        since: object = None,
        latest: bool = False,
        overflow: object = "drop_oldest",
        capacity: int | None = None,
    ) -> None:
        if overflow not in OVERFLOWS:
            raise ConfigError(f"subscribe(overflow={overflow!r}): it is one of {', '.join(map(repr, OVERFLOWS))}")
        self._codec, self.messages, self.patterns = codec, messages, check_patterns(patterns)
        self._since, self._latest, self._overflow = check_since(since), bool(latest), overflow
        self._capacity = None if capacity is None else check_limit(capacity)
        self._engine: Engine | None = None
        self._participant: Participant | None = None
        self.subscription: Subscription | None = None

    @property
    def key(self) -> Hashable:
        """The line of those who wait for a message of this subscription."""
        return self

    @property
    def title(self) -> str:
        """What words call it."""
        return f"topics {', '.join(map(repr, self.patterns[:3]))}{' ...' if len(self.patterns) > 3 else ''}"

    @property
    def answers(self) -> bool:
        """What a handler returns is dropped."""
        return False

    def open(self, engine: Engine, participant: Participant) -> None:
        """Subscribe."""
        self._engine, self._participant = engine, participant
        settings = participant.settings
        overflow: Any = self._overflow
        self.subscription = participant.feed.subscribe(
            self.patterns,
            since=self._since,
            latest=self._latest,
            overflow=overflow,
            capacity=self._capacity or settings.subscriber_messages,
            capacity_bytes=settings.subscriber_bytes,
            now=engine.now(),
        )
        self.subscription.key = self

    def close(self) -> None:
        """Subscribe no more."""
        if self._engine is not None and self._participant is not None and self.subscription is not None:
            self._participant.feed.unsubscribe(self.subscription, self._engine.now())

    def taker(self, owner: object) -> Listener:
        """Return a new listener."""
        return Listener(self, owner)

    def waiting(self) -> int:
        """Return how many messages are here that no listener was given."""
        return self.subscription.waiting if self.subscription is not None else 0

    def waits(self) -> bool:
        """Whether messages wait."""
        return self.waiting() > 0

    def ready(self, taker: Taker[Message]) -> Wish[Any]:
        """Wish that all publishers who are here know of the subscription."""
        assert self.subscription is not None
        return _known(self.opened()[1], self.subscription, taker, self.title)

    def words(self) -> str:
        """Say what who waits for a message waits for."""
        return _words(self._participant, self.title)

    def began(self, item: Message, leave_off: Any) -> None:
        """Nothing: nobody waits for what a handler does with it."""

    def returned(self, item: Message, value: object) -> None:
        """Nothing: nobody waits for what a handler did with it."""

    def raised(self, item: Message, error: BaseException) -> int:
        """Have it logged."""
        return logging.ERROR

    def opened(self) -> tuple[Engine, Participant]:
        """Return what it was opened with.

        Raises:
            ClosedError: it never was.
        """
        if self._engine is None or self._participant is None:
            raise ClosedError(f"the receiver of {self.title} is not open")
        return self._engine, self._participant

    def latest(self, topic: str) -> Message | None:
        """Return the newest message of a topic, taken or not; ``None`` where there is none.

        Raises:
            ConfigError: the subscription is not to the latest alone.
        """
        if not self._latest:
            raise ConfigError("latest() is of a subscription with latest=True")
        topic = check_name("topic", topic)
        engine, _ = self.opened()
        with engine.gate:
            engine.check()
            span = self.subscription.newest.get(topic) if self.subscription is not None else None
        if span is None:
            return None
        copy = Span(span.news, span.flow, span.start, span.end, span.arrived)
        return self.message(LeafDelivery(self, Leaf(copy, None, 0)), span.start)

    @property
    def missed(self) -> int:
        """How many messages were published for it, and it did not get."""
        return self.subscription.missed if self.subscription is not None else 0

    def message(self, delivery: LeafDelivery, index: int) -> Message | None:
        """Return the message at an index; ``None`` where it cannot be decoded, which is counted and logged."""
        start, end, values = delivery.read
        if not start <= index < end:
            start, end, values = self.read(delivery, index)
        value = values[index - start]
        if value is UNREADABLE:
            return None
        message = self.messages()
        message.data, message._delivery, message._index = value, delivery, index
        return message

    def read(self, delivery: LeafDelivery, index: int) -> Read:
        """Decode the value at an index, and some of those that follow."""
        return read_leaf(self._codec, delivery, index, self._refuse)

    def _refuse(self, delivery: LeafDelivery, index: int, error: DecodeError) -> None:
        topic, sender = delivery.topic(index), delivery.sender()
        _logger.error("a message of %r from %s cannot be decoded and is dropped: %s", topic, sender, error)
        if self.subscription is not None:
            self.subscription.unreadable += 1


class GroupJobs(Jobs):
    """The messages that one of a group gets, which are jobs; a ``Supply``."""

    def __init__(self, codec: Codec, outlet: Outlet, patterns: Sequence[object], group: object) -> None:
        self.patterns = check_patterns(patterns)
        self.group = check_name("group", group)
        super().__init__(
            codec, outlet, group_queue(self.group, self.patterns), prefetch=None, receipt=False, lease=None
        )

    @property
    def title(self) -> str:
        """What words call it."""
        return f"group {self.group!r} of {', '.join(map(repr, self.patterns[:3]))}"

    def open(self, engine: Engine, participant: Participant) -> None:
        """Join the group.

        Raises:
            ConfigError: there is no room for one more name on the card.
        """
        super().open(engine, participant)
        self._subscription = participant.feed.join(self.queue, self.patterns, engine.now())

    def close(self) -> None:
        """Leave the group."""
        if self._engine is not None and self._participant is not None:
            self._participant.feed.part(self.queue, self._engine.now())
        super().close()

    def words(self) -> str:
        """Say what who waits for a message waits for."""
        return _words(self._participant, self.title)

    def ready(self, taker: Taker[Message]) -> Wish[Any]:
        """Wish that all publishers who are here know of the group."""
        return _known(self._opened()[1], self._subscription, taker, self.title)


def listen(
    codec: Codec,
    outlet: Outlet,
    patterns: Sequence[object],
    *,
    group: object = None,
    overflow: object = "drop_oldest",
    **own: Any,
) -> Heard | GroupJobs:
    """Return what a receiver of topics takes from.

    Raises:
        NameInvalid: a pattern, or ``group``, is none.
        ConfigError: an option that cannot be, or not together with ``group``.
    """
    if group is None:
        return Heard(codec, outlet._messages, patterns, overflow=overflow, **own)
    given = [name for name, value in own.items() if value is not None and value is not False]
    given += ["overflow"] * (overflow != "drop_oldest")
    if any(str(pattern).startswith(TAP) for pattern in patterns):
        raise ConfigError(f"subscribe(group={group!r}): copies are not kept for a group; tap without group=")
    if given:
        raise ConfigError(
            f"subscribe(group={group!r}, {given[0]}=...): its messages wait at their publishers, as jobs do, "
            f"and go to one of the group; leave out {' and '.join(given)}"
        )
    return GroupJobs(codec, outlet, patterns, group)
