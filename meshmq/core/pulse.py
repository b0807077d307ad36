"""The pulse of a session: when to ask whether the other side is still there, and when to give up."""

from __future__ import annotations

from typing import Final

PING_AFTER: Final = 1.0
DROP_AFTER: Final = 3.0
#: A session that heard nothing for so long asks: the other side may have ended it without our knowing.
QUIET_AFTER: Final = 3.0


class Pulse:
    """What was heard of the other side of a connection, and what was asked."""

    def __init__(self) -> None:
        self._heard_at = 0.0
        self._asked_at: float | None = None
        self._allowance = DROP_AFTER

    @property
    def doubtful(self) -> bool:
        """Whether the other side was asked and has not answered."""
        return self._asked_at is not None

    def heard(self, now: float, *, calm: bool) -> None:
        """Note that something came; with ``calm`` it ends the doubt."""
        self._heard_at = now
        if calm:
            self._asked_at = None

    def calm(self) -> None:
        """End the doubt."""
        self._asked_at = None

    def ask(self, now: float, allowance: float = DROP_AFTER) -> bool:
        """Note that it is asked and has so long to answer; ``False`` where it has been, and has less."""
        if self._asked_at is not None and self._allowance <= allowance:
            return False
        self._asked_at, self._allowance = now, allowance
        return True

    def deadline(self, uncovered_since: float | None) -> float:
        """Return when to ask, or when to give up; ``uncovered_since`` tells of what it has not confirmed."""
        if self._asked_at is not None:
            return self._asked_at + self._allowance
        quiet = self._heard_at + QUIET_AFTER
        return quiet if uncovered_since is None else min(quiet, uncovered_since + PING_AFTER)
