"""Topics of one node, joined to its sessions and to the topics links of others."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.core.part import Ground
from meshmq.wire.frames import Kind


class Feed:
    """What this node publishes, and what it subscribes to."""

    kinds = frozenset({Kind.SUBSCRIBE, Kind.UNSUBSCRIBE, Kind.HEADS, Kind.SEEN, Kind.FETCH, Kind.NEWS, Kind.FETCHED})

    def __init__(self, ground: Ground, now: float) -> None:
        self._ground = ground
        self.publishes = self.subscribes = False

    def read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Take what a session brought."""

    def overhear(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take one message of a topics link."""

    def tuned(self, string: bytes, present: bool, now: float) -> None:
        """Learn of a subscription to our topics link."""

    def awaits(self, peer: bytes) -> bool:
        """Whether a peer may send anything that is large."""
        return False

    def session_up(self, peer: bytes, now: float) -> None:
        """Learn that a new session with a peer stands."""

    def session_ended(self, peer: bytes, reason: str, now: float, *, clean: bool) -> None:
        """Learn that a session is over."""

    def roster_changed(self, now: float) -> None:
        """Look who is here and what their cards say."""

    def work(self, now: float) -> None:
        """Send what may be sent."""

    def owes(self, now: float) -> bool:
        """Whether leaving now would lose something."""
        return False

    def tick(self, now: float) -> None:
        """Do what is due."""

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return None
