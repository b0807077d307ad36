"""What a publisher remembers: the series of its topics, so many of ordinary ones and so many of durable ones.

Beyond that those go that have been quiet for longest. An ordinary topic that comes again is a new epoch. Of a durable
one nothing is kept any more, and how far it is stays known: its numbers go on, and what was before is told as missed.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Final

from meshmq.core.feed.patterns import Patterns
from meshmq.core.feed.series import Series
from meshmq.wire.news import DURABLE_EPOCHS

SERIES_MOST: Final = 100_000


class Known(dict[str, Series]):
    """All series of a node, by topic."""

    def __init__(self) -> None:
        super().__init__()
        #: The epoch of ordinary topics that begin now.
        self.epoch = 1
        self.forgotten = 0
        #: Epoch and last number of durable ones that were put away.
        self.away: dict[str, tuple[int, int]] = {}
        self._durable = 0

    def add(self, series: Series) -> None:
        """Remember a series, in the place of one that is there."""
        before = self.get(series.topic)
        self._durable += _is_durable(series) - (before is not None and _is_durable(before))
        self[series.topic] = series
        self.away.pop(series.topic, None)

    def make_room(self, *, durable: bool) -> list[Series]:
        """Forget the hundredth part that has been quiet for longest, where there are too many of a kind; returns it."""
        if (self._durable if durable else len(self) - self._durable) < SERIES_MOST:
            return []
        alike = (series for series in self.values() if _is_durable(series) is durable)
        gone = heapq.nsmallest(SERIES_MOST // 100, alike, key=lambda one: one.last_at)
        for series in gone:
            del self[series.topic]
        self.forgotten += len(gone)
        if durable:
            self._durable -= len(gone)
            self.away.update((series.topic, (series.epoch, series.head)) for series in gone)
        else:
            self.epoch = (self.epoch + 1) % DURABLE_EPOCHS
        return gone

    def of(self, patterns: Iterable[str]) -> list[Series]:
        """Return the series that one of the patterns matches; those put away as they are, with nothing kept."""
        if any("*" in pattern for pattern in patterns):
            index: Patterns[bool] = Patterns()
            for pattern in patterns:
                index.add(pattern, True)
            topics = [topic for topic in (*self, *self.away) if index.matching(topic)]
        else:
            topics = [topic for topic in patterns if topic in self or topic in self.away]
        return [self.get(topic) or self._put_away(topic) for topic in topics]

    def _put_away(self, topic: str) -> Series:
        epoch, head = self.away[topic]
        series = Series(topic, epoch, None, float("-inf"))
        series.head = head
        return series


def _is_durable(series: Series) -> bool:
    return series.epoch >= DURABLE_EPOCHS
