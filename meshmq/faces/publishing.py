"""Publishing and subscribing, for threads."""

from __future__ import annotations

from typing import Literal

from meshmq.checks import check_concurrency, check_timeout
from meshmq.core.feed.subscription import Overflow
from meshmq.errors import ConfigError
from meshmq.faces.pushing import PushingNode
from meshmq.faces.receiving import Receiver
from meshmq.history import History, check_history
from meshmq.letters import DeadLetters
from meshmq.listening import Heard, listen
from meshmq.message import Message
from meshmq.names import check_pattern
from meshmq.wire.headers import Headers

Since = Literal["first", "last"] | int | float


class Subscription(Receiver[Message]):
    """Messages of topics: iterate, or ``receive``; ``missed`` counts what was published and did not come."""

    @property
    def missed(self) -> int:
        """How many messages were published for it, and it did not get: lost, or dropped here. 0 for a group."""
        return self._supply.missed if isinstance(self._supply, Heard) else 0

    def latest(self, topic: str) -> Message | None:
        """Return the newest message of a topic, taken or not; ``None`` where there is none. Never waits.

        Raises:
            ConfigError: the subscription is not to the latest alone (``latest=True``).
            ClosedError: the node is closed.
        """
        if not isinstance(self._supply, Heard):
            raise ConfigError("latest() is of a subscription with latest=True")
        return self._supply.latest(topic)


class PublishingNode(PushingNode):
    """The verbs of a node with which it publishes and subscribes."""

    def publish(self, topic: str, data: object, *, headers: Headers | None = None, copy: bool = True) -> None:
        """Tell all subscribers of ``topic``. Never waits; ``data`` is copied before the call returns, but with
        ``copy=False``: then large arrays, bytearrays and memoryviews in it are given away, and arrays become read-only.

        What is published while discovery still goes on is kept, and given to subscribers that were there
        before it, as they are found. Subscribers too slow for it miss some, and are told how many.

        Raises:
            EncodeError: ``data`` would not come back equal; nothing was published.
            NameInvalid: ``topic`` cannot be the name of one.
            ClosedError: the node is closed.
        """
        self._publish_nowait(topic, data, headers, copy=copy)

    def subscribe(
        self,
        pattern: str,
        *patterns: str,
        since: Since | None = None,
        latest: bool = False,
        overflow: Overflow = "drop_oldest",
        capacity: int | None = None,
        group: str | None = None,
        idle: float | None = None,
        concurrency: int | None = None,
    ) -> Subscription:
        """Get what is published to topics that a pattern matches, from now on or from when the node opens.

        In a pattern ``*`` is any one segment, and ``**``, at its end, one or more. Iterate over what is returned,
        or call its ``receive``, or decorate a handler with it; ``concurrency`` of them (default: 1, in order)
        are at work at once. Its ``ready()`` returns when all publishers who are here know of it: what is published
        after that is received or told as missed; what is published while they are being told may be neither.

        ``since`` asks for what the publisher keeps (``topic(history=...)``): ``"first"``, ``"last"``, from a number
        (``int``) or from so many seconds ago (``float``). ``latest=True`` gives the newest of each topic alone.
        ``capacity`` is how many messages wait here (default: ``settings.subscriber_messages``); ``overflow`` says
        what becomes of more: ``"drop_oldest"``, ``"drop_newest"``, or ``"disconnect"``, which raises ``Overflowed``
        when what waited is taken. ``message.gap`` tells what was missed.
        Of all subscribers in one ``group`` (and with equal patterns) exactly one gets each message, at least once,
        as a job. ``idle`` ends the iteration after so many seconds without a message.

        Raises:
            NameInvalid: a pattern, or ``group``, is none.
            ConfigError: an option that cannot be, or not together with ``group``.
            ClosedError: the node is closed.
        """
        supply = listen(
            self._codec,
            self,
            (pattern, *patterns),
            since=since,
            latest=latest,
            overflow=overflow,
            capacity=capacity,
            group=group,
        )
        return Subscription(self, supply, check_timeout(idle), check_concurrency(concurrency, 1))

    def topic(self, topic: str, *, history: int | History | None = None, durable: bool = False) -> Topic:
        """Return the handle of a topic, or of the topics a pattern matches.

        ``history`` is how much of each topic this node keeps of what it publishes, for ``since`` and for who was
        cut off: a number of messages, or a ``History``. With ``durable`` it is kept in the node's journal, and what
        is published is heard by nobody before it is there: history and numbers go on when the node comes again.

        Raises:
            NameInvalid: it is neither a topic nor a pattern.
            ConfigError: ``history`` is none; ``durable`` without a journal, or without ``history``.
            ClosedError: the node is closed.
        """
        handle = Topic(self, check_pattern(topic))
        kept = check_history(history)
        if kept is not None or durable:
            self._retain(handle.name, kept, durable=durable)
        return handle


class Topic:
    """A node's handle of one topic, or pattern; the verbs on ``Node`` are its shorthand."""

    def __init__(self, node: PublishingNode, name: str) -> None:
        self._node, self.name = node, name

    def __repr__(self) -> str:
        return f"<Topic {self.name!r} of {self._node!r}>"

    def publish(self, data: object, *, headers: Headers | None = None, copy: bool = True) -> None:
        """Tell all subscribers; see ``Node.publish``.

        Raises:
            EncodeError, ClosedError: as ``Node.publish``.
            NameInvalid: the handle is of a pattern.
        """
        self._node.publish(self.name, data, headers=headers, copy=copy)

    def subscribe(
        self,
        *,
        since: Since | None = None,
        latest: bool = False,
        overflow: Overflow = "drop_oldest",
        capacity: int | None = None,
        group: str | None = None,
        idle: float | None = None,
        concurrency: int | None = None,
    ) -> Subscription:
        """Get what is published; see ``Node.subscribe``.

        Raises:
            ConfigError, ClosedError: as ``Node.subscribe``.
        """
        return self._node.subscribe(
            self.name,
            since=since,
            latest=latest,
            overflow=overflow,
            capacity=capacity,
            group=group,
            idle=idle,
            concurrency=concurrency,
        )

    @property
    def dead(self) -> DeadLetters:
        """What was published here and groups of subscribers could not read: to look at, to try again, to drop."""
        return DeadLetters(self._node, topic=self.name)
