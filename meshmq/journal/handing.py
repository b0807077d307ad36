"""When to look for staged jobs, and which of them are with the node and not yet answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Final

from meshmq.journal.base import OnStaged, Store

#: The most staged jobs that are handed on before those handed on before are answered.
STAGED: Final = 256
#: Seconds between two looks; the shorter for so long after a hint, or after some were found.
SLOW: Final = 1.0
QUICK: Final = 0.02
QUICK_FOR: Final = 2.0

_log: Final = logging.getLogger("meshmq.journal")


class Handing:
    """Hands on what users' own transactions have left in a store; for the journal's thread, but for ``hint``."""

    def __init__(self, store: Store, to: OnStaged) -> None:
        self._store, self._to = store, to
        self._quick_until = self._look_at = 0.0
        self._more = True
        self._unanswered: set[int] = set()

    def hint(self) -> None:
        """Look at once, and often for a little while."""
        self._look_at, self._quick_until = 0.0, time.monotonic() + QUICK_FOR

    def pause(self) -> float:
        """Return how long until the next look."""
        return self._look_at - time.monotonic()

    def answered(self, rows: Collection[int]) -> None:
        """Note that the node has said what becomes of these."""
        self._unanswered.difference_update(rows)

    def look(self) -> None:
        """Hand on some, if it is time and those before are answered.

        Raises:
            JournalError: the store cannot be read.
        """
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + (QUICK if now < self._quick_until else SLOW)
            self._more = self._store.has_changed() or self._more
        if not self._more or self._unanswered:
            return
        rows = self._store.staged(STAGED)
        self._more = len(rows) == STAGED
        if rows:
            self._quick_until = now + QUICK_FOR
            self._look_at = min(self._look_at, now + QUICK)
            self._unanswered = {row.row for row in rows}
            try:
                self._to(rows)
            except Exception:
                _log.exception("staged jobs of '%s' are handed on again at the next start", self._store.name)
                self._unanswered.clear()
