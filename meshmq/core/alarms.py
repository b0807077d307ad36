"""Which of many things is due next; each has one moment at most, which may be moved or taken back."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from itertools import count
from typing import Final, Generic, TypeVar

ItemT = TypeVar("ItemT", bound=Hashable)
#: So many moments that stand no more are kept beside twice as many as stand. With their items: 64 calls that were over
#: were as much as Python's collector lets be made before it looks, and each hundredth of its looks took 8 ms.
SLACK: Final = 16


class Alarms(Generic[ItemT]):
    """Moments of items, the earliest first; takes memory for those that stand, not for those taken back."""

    def __init__(self) -> None:
        self._moments: dict[ItemT, float] = {}
        self._heap: list[tuple[float, int, ItemT]] = []
        self._ties = count()

    def __len__(self) -> int:
        return len(self._moments)

    def set(self, item: ItemT, moment: float | None) -> None:
        """Give an item its moment, in place of another that it had; ``None`` takes that back."""
        if moment is None:
            self._moments.pop(item, None)
            if not self._moments:
                self._heap.clear()
        elif self._moments.get(item) != moment:
            self._moments[item] = moment
            heapq.heappush(self._heap, (moment, next(self._ties), item))
        if len(self._heap) > 2 * len(self._moments) + SLACK:
            self._heap = [(moment, next(self._ties), item) for item, moment in self._moments.items()]
            heapq.heapify(self._heap)

    @property
    def deadline(self) -> float | None:
        """The earliest moment."""
        while self._heap and self._moments.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[ItemT]:
        """Take and return the items whose moment has come, in order."""
        items: list[ItemT] = []
        while (moment := self.deadline) is not None and moment <= now:
            item = heapq.heappop(self._heap)[2]
            del self._moments[item]
            items.append(item)
        return items
