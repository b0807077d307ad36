"""A subscription: the messages of its topics that wait here for its user, bounded, and what it missed.

Every message that a publisher numbered for it is, in the end, received or told as missed: ``lost`` on the way,
or dropped here because it was ``overflow``ing or (latest only) ``superseded``. ``gap`` of the next message of the
same topic says how many of them were before it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

from meshmq.core.feed.flow import Flow
from meshmq.core.feed.patterns import prefix
from meshmq.wire.news import News
from meshmq.wire.subscribing import Since

if TYPE_CHECKING:
    from meshmq.core.feed.tap import Tap

Overflow = Literal["drop_oldest", "drop_newest", "disconnect"]
OVERFLOWS: Final[tuple[Overflow, ...]] = get_args(Overflow)
#: So many messages are held at most, or as many as it has room for, while what is missing before them is fetched.
HELD_MOST: Final = 10_000
#: So many fetches are under way at a time: more would be no faster, and each takes memory at a publisher.
FETCHES_MOST: Final = 128


@dataclass(slots=True)
class Span:
    """Messages ``start`` to ``end`` (indices of ``news``) that wait."""

    news: News
    flow: Flow
    start: int
    end: int
    arrived: float
    #: How many messages were missed just before it.
    gap: int = 0

    @property
    def size(self) -> int:
        """The bytes of their values."""
        return self.news.size(self.start, self.end)


@dataclass(slots=True, eq=False)
class Leaf:
    """Messages in the hands of one consumer: it goes on to the next by ``ahead``, without the lock."""

    span: Span
    consumer: Hashable
    gap: int
    ahead: Iterator[int] = field(default_factory=lambda: iter(()))

    def recall(self) -> Span | None:
        """Take away what is not begun; returns it."""
        rest = list(self.ahead)
        span = self.span
        if not rest:
            return None
        back = Span(span.news, span.flow, rest[0], span.end, span.arrived)
        span.end = rest[0]
        return back


class Subscription:
    """What one ``subscribe`` of a user gets."""

    def __init__(
        self,
        number: int,
        patterns: Sequence[str],
        *,
        since: Since | None = None,
        latest: bool = False,
        overflow: Overflow = "drop_oldest",
        capacity: int = 1,
        capacity_bytes: int = 1,
        group: str | None = None,
        now: float,
    ) -> None:
        self.number = number
        #: The line of those who wait for a message.
        self.key: Hashable = ("subscription", number)
        self.patterns = tuple(dict.fromkeys(patterns))
        #: The queue of the group it is a member of: its messages come as jobs, and nothing of them is here.
        self.group = group
        self.prefixes = () if latest or group else tuple(dict.fromkeys(map(prefix, self.patterns)))
        self.since, self.latest, self.overflow = since, latest, overflow
        self.capacity, self.capacity_bytes = capacity, capacity_bytes
        self.opened_at = now
        #: By publisher and topic: how far it is.
        self.flows: dict[bytes, OrderedDict[str, Flow]] = {}
        self.waiting = self.size = 0
        #: The fetches that are under way, and what they may bring at most.
        self.fetches = self.coming = self.coming_size = 0
        #: Flows that wait for room to fetch what they miss.
        self.hungry: OrderedDict[Flow, Tap] = OrderedDict()
        #: The bytes of the largest value that came.
        self.largest = 0
        #: The messages, and bytes, that flows hold until their turn has come.
        self.held = self.held_size = 0
        self.received = self.lost = self.overflowed = self.superseded = self.unreadable = 0
        #: Whether it has overflowed by the policy ``disconnect``: nothing more waits here, all is counted.
        self.disconnected = False
        self.closed = False
        #: Whether it has forgotten how far some topics are.
        self.forgetful = False
        #: Of a subscription to the latest, the newest of each topic, received or not.
        self.newest: dict[str, Span] = {}
        self._queue: deque[Span] = deque()
        self._slots: OrderedDict[Flow, Span] = OrderedDict()
        self._leaves: dict[Leaf, None] = {}

    def __repr__(self) -> str:
        return f"<Subscription {self.number} to {', '.join(self.patterns[:5])}, {self.waiting} waiting>"

    @property
    def missed(self) -> int:
        """How many messages were published for it, and it will not get."""
        return self.lost + self.overflowed + self.superseded

    @property
    def room(self) -> tuple[int, int]:
        """How many messages and bytes it can take without dropping any, with what is on its way."""
        messages = self.capacity - self.waiting - self.in_hand - self.coming - self.held
        return messages, self.capacity_bytes - self.size - self.held_size - self.coming_size

    @property
    def roomy(self) -> bool:
        """Whether it may fetch: where there is a good part of all room, or all that there is."""
        messages, size = self.room
        if messages <= 0 or size <= 0 or self.fetches >= FETCHES_MOST:
            return False
        much = messages * 4 >= self.capacity and size >= max(self.capacity_bytes // 4, self.largest)
        return much or not (self.waiting or self.coming)

    @property
    def in_hand(self) -> int:
        """How many messages consumers have, begun or not."""
        return sum(leaf.span.end - leaf.span.start for leaf in self._leaves)

    # -- in ----------------------------------------------------------------------------------------

    def put(self, span: Span) -> None:
        """Take messages whose turn it is; drops by its policy what it has no room for."""
        count, flow = span.end - span.start, span.flow
        if self.disconnected or self.closed:
            self.overflowed += count
            flow.missed += count
            return
        span.gap, flow.missed = flow.missed, 0
        self.largest = max(self.largest, span.size if count == 1 else span.news.longest)
        if self.latest:
            self._replace(span)
            return
        self._queue.append(span)
        self.waiting += count
        self.size += span.size
        if self.waiting + (self.in_hand if self._leaves else 0) > self.capacity or self.size > self.capacity_bytes:
            self._make_room()

    def _replace(self, span: Span) -> None:
        passed = span.end - 1 - span.start
        span.start = span.end - 1
        last = self._slots.get(span.flow)
        if last is not None:
            passed += 1
            span.gap += last.gap
            self.waiting -= 1
            self.size -= last.size
        self.superseded += passed
        span.gap += passed
        self._slots[span.flow] = span
        self.newest[span.news.topic] = span
        self.waiting += 1
        self.size += span.size
        while self._over():
            _, oldest = self._slots.popitem(last=False)
            self.waiting -= 1
            self.size -= oldest.size
            self.overflowed += 1
            oldest.flow.missed += oldest.gap + 1
            if self.newest.get(oldest.news.topic) is oldest:
                del self.newest[oldest.news.topic]

    def _make_room(self) -> None:
        for leaf in reversed(self._leaves):
            back = leaf.recall()
            if back is not None:
                self._put_back(back)
        if self.overflow == "disconnect" and self._over():
            self.disconnected = True
        while self._over():
            if self.overflow == "drop_oldest":
                self._drop(self._queue[0], front=True)
            else:
                self._drop(self._queue[-1], front=False)

    def _over(self) -> bool:
        return self.waiting > self.capacity or (self.size > self.capacity_bytes and self.waiting > 1)

    def _drop(self, span: Span, *, front: bool) -> None:
        """Drop one message, or of small ones as many as there are too many."""
        count = 1
        if self.size <= self.capacity_bytes:
            count = max(1, min(span.end - span.start, self.waiting - self.capacity))
        size, flow = span.size, span.flow
        if front:
            span.start += count
            span.gap += count
        else:
            span.end -= count
            flow.missed += count
        self.size -= size - (span.size if span.end > span.start else 0)
        self.waiting -= count
        self.overflowed += count
        if span.end <= span.start and front:
            flow.dropped += span.gap
            self._queue.popleft()
        elif span.end <= span.start:
            flow.missed += span.gap
            self._queue.pop()

    # -- out ---------------------------------------------------------------------------------------

    def take(self, consumer: Hashable, limit: int | None = None) -> Leaf | None:
        """Give what waits longest to a consumer: all begun when ``limit`` is given, else one at a time."""
        if self._slots:
            _, span = self._slots.popitem(last=False)
            span = Span(span.news, span.flow, span.start, span.end, span.arrived, span.gap)
        elif self._queue:
            span = self._queue.popleft()
            if limit is not None and span.end - span.start > limit:
                self._queue.appendleft(Span(span.news, span.flow, span.start + limit, span.end, span.arrived))
                span.end = span.start + limit
        else:
            return None
        self.waiting -= span.end - span.start
        self.size -= span.size
        leaf = Leaf(span, consumer, span.gap + span.flow.dropped)
        span.flow.dropped = 0
        if limit is None:
            leaf.ahead = iter(range(span.start + 1, span.end))
        self._leaves[leaf] = None
        return leaf

    def finish(self, leaf: Leaf) -> None:
        """Note that a consumer has begun all of a leaf, or goes: what it has not begun waits again."""
        if leaf not in self._leaves:
            return
        del self._leaves[leaf]
        back = leaf.recall()
        self.received += leaf.span.end - leaf.span.start
        if back is not None and not self.closed:
            self._put_back(back)

    def _put_back(self, span: Span) -> None:
        self._queue.appendleft(span)
        self.waiting += span.end - span.start
        self.size += span.size

    def close(self) -> None:
        """Forget everything."""
        self.closed = True
        self._queue.clear()
        self._slots.clear()
        self.flows.clear()
        self.hungry.clear()
        self.newest.clear()
        self.waiting = self.size = 0
