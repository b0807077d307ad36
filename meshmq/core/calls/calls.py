"""Requests and answers of one node, joined to its sessions."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.core.part import Ground
from meshmq.wire.frames import Kind


class Calls:
    """What this node asks of others, and what it serves."""

    kinds = frozenset({Kind.REQUEST, Kind.ANSWER, Kind.CANCEL, Kind.DEMAND})

    def __init__(self, ground: Ground, now: float) -> None:
        self._ground = ground
        #: The names of the services that this node serves.
        self.served: dict[str, None] = {}
        #: Whether handlers here make no progress.
        self.stalled = False

    def read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Take what a session brought."""

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
        """Whether leaving now would leave somebody without an answer."""
        return False

    def tick(self, now: float) -> None:
        """Do what is due."""

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return None
