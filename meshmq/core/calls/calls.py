"""Requests and answers of one node, joined to its sessions."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.core.calls.server import Server
from meshmq.core.part import Ground
from meshmq.wire.calls import unpack_cancel, unpack_demand, unpack_request
from meshmq.wire.frames import Kind


class Calls:
    """What this node asks of others, and what it serves."""

    kinds = frozenset({Kind.REQUEST, Kind.ANSWER, Kind.CANCEL, Kind.DEMAND})

    def __init__(self, ground: Ground, now: float) -> None:
        self._ground = ground
        self.server = Server(ground, now)
        #: Whether handlers here make no progress.
        self.stalled = False

    @property
    def served(self) -> dict[str, None]:
        """The names of the services on our card."""
        return self.server.served

    def read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Take what a session brought."""
        if kind is Kind.REQUEST:
            self.server.requested(peer, unpack_request(frames), now)
        elif kind is Kind.CANCEL:
            self.server.cancel(peer, unpack_cancel(frames[0]))
        elif kind is Kind.DEMAND:
            self.server.demand(peer, *unpack_demand(frames[0]))

    def awaits(self, peer: bytes) -> bool:
        """Whether a peer may send anything that is large."""
        return self.server.serves_large()

    def session_up(self, peer: bytes, now: float) -> None:
        """Learn that a new session with a peer stands."""

    def session_ended(self, peer: bytes, reason: str, now: float, *, clean: bool) -> None:
        """Learn that a session is over."""
        self.server.lost(peer)

    def roster_changed(self, now: float) -> None:
        """Look who is here and what their cards say."""

    def work(self, now: float) -> None:
        """Send what may be sent."""

    def drain(self, now: float) -> None:
        """Take no new requests."""
        self.server.drain()

    def owes(self, now: float) -> bool:
        """Whether leaving now would leave somebody without an answer."""
        return self.server.owes()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self.server.tick(now)

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return self.server.deadline
