"""Groups: of all subscribers of one group exactly one gets each message; a queue at each publisher.

A group lives at a publisher from its first member until an hour after its last. Its messages are jobs: they
are kept until a member has done them, go to another when a member is lost, and are flagged then. The queue is
bounded as any is; what it has no room for is dropped and counted, for publishing never waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from meshmq.codecs.base import Buffer
from meshmq.core.feed.kept import Item
from meshmq.core.feed.patterns import Patterns
from meshmq.core.feed.series import Series
from meshmq.errors import WouldBlock
from meshmq.names import GROUP
from meshmq.wire.headers import Headers

KEPT_FOR: Final = 3_600.0
TOPIC_HEADER: Final = "meshmq-topic"
SEQ_HEADER: Final = "meshmq-seq"
_MOST: Final = 1_000
_TOPICS_MOST: Final = 100_000


def group_queue(group: str, patterns: Sequence[str]) -> str:
    """Return the name of the queue of a group; members with other patterns are another group."""
    tag = blake2b("\n".join(sorted(set(patterns))).encode(), digest_size=4).hexdigest()
    return f"{GROUP}{group[:150]}:{tag}"


@dataclass(slots=True)
class _Group:
    patterns: tuple[str, ...]
    #: Since when it gets what is published: from its first member on, who need not be the first that was heard.
    began: float
    members: set[tuple[bytes, int]] = field(default_factory=set)
    left_at: float | None = None


class Groups:
    """All groups that get what one node publishes; ``push`` puts a job into a queue."""

    def __init__(self, push: Callable[[str, bytes, Sequence[Buffer], Headers | None, float], object]) -> None:
        self._push = push
        self._groups: dict[str, _Group] = {}
        self._index: Patterns[str] = Patterns()
        self._found: dict[str, list[str]] = {}
        #: Messages that a group's queue had no room for.
        self.dropped: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def join(
        self, queue: str, patterns: Sequence[str], member: tuple[bytes, int], began: float, now: float
    ) -> float | None:
        """Take a member that has been there since it ``began``.

        Returns before when what was published since then is still to be given to the group, ``None`` where all was.
        """
        self._forget_old(now)
        group = self._groups.get(queue)
        if group is None:
            if len(self._groups) >= _MOST:
                return None
            group = self._groups[queue] = _Group(tuple(patterns), began)
            for pattern in patterns:
                self._index.add(pattern, queue)
            self._found.clear()
            group.members.add(member)
            return float("inf")
        group.members.add(member)
        group.left_at = None
        before = group.began
        group.began = min(before, began)
        return before if began < before else None

    def part(self, queue: str, member: tuple[bytes, int], now: float) -> None:
        """Let a member go; the group stays for a while."""
        group = self._groups.get(queue)
        if group is not None:
            group.members.discard(member)
            if not group.members:
                group.left_at = now

    def members(self, topic: str) -> list[bytes]:
        """Return the ids of the nodes in groups that get what is published to a topic."""
        return sorted({peer for queue in self._index.matching(topic) for peer, _ in self._groups[queue].members})

    def all(self) -> Iterator[tuple[str, tuple[str, ...], int]]:
        """Yield the queue of each group, its patterns, and how many members it has."""
        return ((queue, group.patterns, len(group.members)) for queue, group in self._groups.items())

    def _forget_old(self, now: float) -> None:
        for queue, group in list(self._groups.items()):
            if group.left_at is not None and now >= group.left_at + KEPT_FOR:
                del self._groups[queue]
                for pattern in group.patterns:
                    self._index.remove(pattern, queue)
                self._found.clear()

    def give(self, series: Series, item: Item, now: float) -> None:
        """Give each group of a topic one more message to do."""
        queues = self._found.get(series.topic)
        if queues is None:
            self._forget_old(now)
            if len(self._found) >= _TOPICS_MOST:
                self._found.clear()
            queues = self._found[series.topic] = self._index.matching(series.topic)
        for queue in queues:
            self.hand(queue, series, item, now)

    def hand(self, queue: str, series: Series, item: Item, now: float) -> None:
        """Put a message into the queue of one group."""
        headers = {**(item.headers or {}), TOPIC_HEADER: series.topic, SEQ_HEADER: str(item.seq)}
        try:
            self._push(queue, item.body, item.buffers, headers, now)
        except WouldBlock:
            self.dropped[queue] += 1
