"""Claims: the ids that a user has given to jobs of one queue, and until when nobody may give them again."""

from __future__ import annotations

from collections import OrderedDict


class Claims:
    """Ids by the moment at which they are free again; at most so many, the oldest are forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def left(self, unique: str, now: float) -> float:
        """Return for how many seconds an id is still taken, 0 where it is free."""
        return max(0.0, self._until.get(unique, now) - now)

    def free(self, unique: str) -> None:
        """Let an id be given again."""
        self._until.pop(unique, None)

    def take(self, unique: str, until: float, now: float) -> None:
        """Take an id, which is free."""
        self._until.pop(unique, None)
        self._until[unique] = until
        while self._until and (len(self._until) > self._most or next(iter(self._until.values())) <= now):
            self._until.popitem(last=False)
