"""A series: one topic as its publisher has it: how far it is, and what of it is kept.

What is kept has a reason: the user's ``history`` for the topic, which has bounds of its own; or it is
*loose*: published while subscribers were still finding us, or too large for the topics link. Of all loose
items of a node together the oldest go first (``Shelf``).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meshmq.codecs.base import Buffer
from meshmq.history import History
from meshmq.names import RESERVED
from meshmq.wire.batches import Headers
from meshmq.wire.subscribing import Since

if TYPE_CHECKING:
    from meshmq.core.feed.follower import Follower


@dataclass(slots=True)
class Item:
    """One published message; ``at`` is when. Not frozen: there is one for each message of a young node."""

    seq: int
    body: bytes
    buffers: Sequence[Buffer]
    headers: Headers | None
    at: float
    size: int


class Series:
    """One topic: numbers from 1, without a hole."""

    __slots__ = (
        "bytes", "created", "direct", "epoch", "followers", "head", "history", "kept", "kept_bytes", "last_at",
        "latest", "local", "own", "topic", "version",
    )  # fmt: skip

    def __init__(self, topic: str, epoch: int, history: History | None, now: float) -> None:
        self.topic, self.epoch, self.history, self.created = topic, epoch, history, now
        self.head = self.bytes = 0
        self.last_at = now
        #: Whether it is the node that publishes to it, and not its user: nobody waits until such news are confirmed,
        #: and who is told of them by nothing but themselves learns of a gap with the next.
        self.own = topic.startswith(RESERVED)
        #: By number, the lowest first. (Of a plain dict it takes long to find the first after many were dropped.)
        self.kept: OrderedDict[int, Item] = OrderedDict()
        self.kept_bytes = 0
        #: Who follows, as of ``version`` of the publisher's index: over the topics link, directly, the latest alone;
        #: and whether we do ourselves.
        self.version = -1
        self.followers: list[Follower] = []
        self.direct: list[Follower] = []
        self.latest: list[Follower] = []
        self.local = False

    def __repr__(self) -> str:
        return f"<Series {self.topic!r} at {self.head:,}, {len(self.kept):,} kept>"

    @property
    def oldest(self) -> int:
        """The lowest number that is kept, 0 where none is."""
        return next(iter(self.kept), 0)

    def keep(self, item: Item, now: float) -> None:
        """Keep an item, and of those before what the history has room for."""
        self.kept[item.seq] = item
        self.kept_bytes += item.size
        if self.history is not None:
            self.trim(now)

    def trim(self, now: float) -> None:
        """Drop what the history has no room for any more."""
        history = self.history
        if history is None:
            return
        kept = self.kept
        while len(kept) > 1 and (
            (history.messages is not None and len(kept) > history.messages) or self.kept_bytes > history.size
        ):
            self.drop(self.oldest)
        if history.seconds is not None:
            while kept and now - kept[self.oldest].at > history.seconds:
                self.drop(self.oldest)

    def drop(self, seq: int) -> None:
        """Forget an item, if it is kept."""
        item = self.kept.pop(seq, None)
        if item is not None:
            self.kept_bytes -= item.size

    def base(self, since: Since | None, span: float, now: float) -> int:
        """Return the number after which a subscription begins that has been there for ``span`` seconds.

        Without ``since`` it begins where it began itself: all that was published after is its own, whether it is
        kept or not. With ``since`` there is more of it, from before.
        """
        self.trim(now)
        if isinstance(since, int):
            return min(max(since, 1) - 1, self.head)
        began = now - span - (since if isinstance(since, float) else 0.0)
        if self.created >= began:
            return 0
        if since == "first":
            return self.oldest - 1 if self.kept else self.head
        base = next((item.seq for item in self.kept.values() if item.at >= began), self.head + 1) - 1
        return base - 1 if since == "last" and base in self.kept else base


#: What an item takes beside its values: bodies of 50 bytes would otherwise make 64 MiB of them 400.
OVERHEAD: Final = 256


class Shelf:
    """All loose items of a node, oldest first, bounded in the bytes that they take."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[tuple[Series, Item]] = deque()
        self.size = 0

    def put(self, series: Series, item: Item, now: float) -> None:
        """Keep an item loosely; the oldest of all topics make room."""
        series.keep(item, now)
        self._items.append((series, item))
        self.size += item.size + OVERHEAD
        while self.size > self._most and len(self._items) > 1:
            self._drop()

    def older_than(self, moment: float) -> None:
        """Drop what was published before ``moment``."""
        while self._items and self._items[0][1].at < moment:
            self._drop()

    def _drop(self) -> None:
        series, item = self._items.popleft()
        self.size -= item.size + OVERHEAD
        if series.history is None and series.kept.get(item.seq) is item:
            series.drop(item.seq)
