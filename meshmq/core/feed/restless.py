"""Series in which something was published lately: once they have been quiet their heads are told."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from meshmq.core.feed.series import Series

#: A topic that has been quiet for so long has its head told.
QUIET_AFTER: Final = 0.2


class Restless:
    """Those whose heads are to be told, the one that has been quiet for longest first."""

    def __init__(self) -> None:
        self._series: OrderedDict[Series, None] = OrderedDict()

    def note(self, series: Series) -> None:
        """Note that something was published just now."""
        self._series[series] = None
        self._series.move_to_end(series)

    def forget(self, series: Series) -> None:
        """Forget a series."""
        self._series.pop(series, None)

    def take(self, now: float) -> list[Series]:
        """Take those that are quiet."""
        quiet: list[Series] = []
        while self._series and now >= next(iter(self._series)).last_at + QUIET_AFTER:
            quiet.append(self._series.popitem(last=False)[0])
        return quiet

    @property
    def deadline(self) -> float | None:
        """The moment at which the next of them is quiet."""
        return next(iter(self._series)).last_at + QUIET_AFTER if self._series else None
