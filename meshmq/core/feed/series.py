"""A series: one topic as its publisher has it: how far it is, and what of it is kept.

What is kept has a reason: the user's ``history`` for the topic, which has bounds of its own; or it is
*loose*: published while subscribers were still finding us, or too large for the topics link. Of all loose
items of a node together the oldest go first (``Shelf``).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from meshmq.core.feed.kept import Kept, Row
from meshmq.history import History
from meshmq.names import RESERVED
from meshmq.wire.subscribing import Since

if TYPE_CHECKING:
    from meshmq.core.feed.follower import Follower


class Series:
    """One topic: numbers from 1, without a hole."""

    __slots__ = (
        "bytes", "created", "direct", "epoch", "followers", "head", "history", "kept", "last_at", "latest",
        "local", "own", "topic", "version",
    )  # fmt: skip

    def __init__(self, topic: str, epoch: int, history: History | None, now: float) -> None:
        self.topic, self.epoch, self.history, self.created = topic, epoch, history, now
        self.head = self.bytes = 0
        self.last_at = now
        #: Whether it is the node that publishes to it, and not its user: nobody waits until such news are confirmed,
        #: and who is told of them by nothing but themselves learns of a gap with the next.
        self.own = topic.startswith(RESERVED)
        self.kept = Kept()
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
        return self.kept.oldest

    def keep(self, row: Row, now: float) -> None:
        """Keep messages, and of those before what the history has room for."""
        self.kept.put(row)
        if self.history is not None:
            self.trim(now)

    def trim(self, now: float) -> None:
        """Drop what the history has no room for any more."""
        history = self.history
        if history is None:
            return
        if history.messages is not None:
            self.kept.drop(len(self.kept) - history.messages)
        self.kept.shrink(history.size)
        if history.seconds is not None:
            self.kept.age(now, history.seconds)

    def base(self, since: Since | None, began: float, now: float) -> int:
        """Return the number after which a subscription begins that has been there since a moment.

        Without ``since`` it begins where it began itself: all that was published after is its own, whether it is
        kept or not. With ``since`` there is more of it, from before.
        """
        self.trim(now)
        if isinstance(since, int):
            return min(max(since, 1) - 1, self.head)
        began -= since if isinstance(since, float) else 0.0
        if self.created >= began:
            return 0
        if since == "first":
            return self.oldest - 1 if self.kept else self.head
        base = next((row.first for row in self.kept.rows() if row.at >= began), self.head + 1) - 1
        return base - 1 if since == "last" and base in self.kept else base


class Shelf:
    """All loose rows of a node, oldest first, bounded in the bytes that they take."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: deque[tuple[Series, Row, int]] = deque()
        self.size = 0

    def put(self, series: Series, row: Row) -> None:
        """Let a row that its series keeps be a loose one; the oldest of all topics make room."""
        cost = row.cost
        self._rows.append((series, row, cost))
        self.size += cost
        while self.size > self._most and len(self._rows) > 1:
            self._drop()

    def older_than(self, moment: float) -> None:
        """Drop what was published before ``moment``."""
        while self._rows and self._rows[0][1].at < moment:
            self._drop()

    def _drop(self) -> None:
        series, row, cost = self._rows.popleft()
        self.size -= cost
        if series.history is None:
            series.kept.remove(row)
