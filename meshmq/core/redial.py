"""When to dial a peer again: ever later while it fails, and later for one whose sessions never last."""

from __future__ import annotations

from random import Random
from typing import Final

FIRST_PAUSE: Final = 0.05
REDIAL_LIMIT: Final = 5.0
FORGIVEN_AFTER: Final = 60.0


class Redial:
    """The next dial of one peer (``at``), as its failures and strikes make it."""

    def __init__(self, random: Random) -> None:
        self.at: float | None = None
        self._random = random
        self._failures = 0
        self._strikes = 0
        self._struck_at = 0.0

    def at_once(self, now: float) -> None:
        """Dial now, and as quickly as ever after."""
        self.at, self._failures = now, 0

    def want(self, now: float) -> None:
        """Dial now, unless its sessions never last."""
        self.at = now
        if self.struck(now):
            self.at += min(REDIAL_LIMIT, FIRST_PAUSE * 2**self._strikes)

    def plan(self, now: float) -> None:
        """Dial after a pause that grows with the failures."""
        pause = min(REDIAL_LIMIT, FIRST_PAUSE * 2 ** min(self._failures, 10))
        self.at = now + pause * (0.7 + 0.6 * self._random.random())

    def failed(self) -> None:
        """Count a dial that failed."""
        self._failures += 1

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures = 0

    def struck(self, now: float) -> bool:
        """Whether there was a strike lately."""
        return self._strikes > 0 and now < self._struck_at + FORGIVEN_AFTER

    def strike(self, now: float) -> None:
        """Note a session that did not last through no fault of the line: the next dial comes later each time."""
        self._strikes = min(10, self._strikes + 1) if self.struck(now) else 1
        self._struck_at = now
