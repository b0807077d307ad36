"""The beats of a node: how often it says that it is here, and what falls due with some of them."""

from __future__ import annotations

from random import Random
from typing import Final

BEAT_EVERY: Final = 5.0
#: Of more peers each beats less often, at last half as often: a hundred would wake each other twenty times a second.
BEAT_PEERS: Final = 50
BEAT_SELDOM: Final = 10.0
#: Of so many peers each is asked for its round trip as soon as it comes.
FEW: Final = 16
_ASK_EVERY: Final = 6
_SILENT: Final = 3
_MINUTE: Final = 60.0


class Beats:
    """When to beat. ``strike`` is called when ``next_at`` has come, and the rest is asked after it."""

    def __init__(self, now: float, random: Random) -> None:
        self.next_at = now + BEAT_EVERY * (0.5 + random.random() / 2)
        self._pause = BEAT_EVERY
        self._count = self._peers = 0
        self._minute_at = self.next_at + _MINUTE - BEAT_EVERY

    def strike(self, now: float, peers: int) -> None:
        """Count one, and set the moment of the next by the number of those who hear it."""
        self._pause = min(BEAT_SELDOM, BEAT_EVERY * max(1.0, peers / BEAT_PEERS))
        self.next_at = now + self._pause
        self._count += 1
        self._peers = peers

    def silent(self, heard_at: float, now: float) -> bool:
        """Whether the beats of a peer have failed to come."""
        return now - heard_at > _SILENT * self._pause

    def asks(self, since: float, round_trip: float | None, now: float) -> bool:
        """Whether the round trip of a peer is to be measured now; of a crowd nobody was asked as it came."""
        if self._count % _ASK_EVERY == 0:
            return True
        return self._peers > FEW and round_trip is None and now - since <= self._pause

    def minute(self, now: float) -> bool:
        """Whether about a minute has gone by since it last had."""
        if now < self._minute_at:
            return False
        self._minute_at = now + _MINUTE
        return True
