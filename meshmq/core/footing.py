"""What the parts of a participant stand on: ways to peers and to ourselves, names, time."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.core.stream import Source
from meshmq.core.trade import Trade
from meshmq.names import short
from meshmq.wire.frames import Kind


class Footing(Trade):
    """A node that gives and takes jobs, and on which other patterns stand; see ``part.Ground``."""

    #: Whether discovery has looked, and how long its answers may take.
    looked = False
    settle = 0.0

    def post(self, peer: bytes, kind: Kind, frames: Sequence[bytes], name: bytes) -> bool:
        """Send a request or an answer, of any size, in order with what has the same ``name``."""
        if peer == self.node_id:
            self._local.append((kind, frames))
            return True
        session = self.sessions.get(peer)
        if session is None or not session.live:
            return False
        session.post(kind, frames, name)
        return True

    def pump(self, peer: bytes, source: Source, now: float, whole: int) -> None:
        """Send news to a peer, or to ourselves, as long as ``source`` gives some and there is room."""
        if peer == self.node_id:
            while (found := source()) is not None:
                self._local.append(found)
            return
        session = self.sessions.get(peer)
        if session is not None and session.live and session.room("news"):
            session.pump(now, source, lane="news", whole=whole)
            self._soon_of(session)

    def lends(self, peer: bytes) -> float | None:
        """Return which part of a large message of news has left to a peer, ``None`` where none is under way."""
        session = self.sessions.get(peer)
        return session.under_way("news") if session is not None else None

    def recall(self, peer: bytes) -> None:
        """Send no more of the large message of news that is under way to a peer."""
        self.sessions[peer].abandon("news")

    def want(self, peer: bytes, now: float) -> bool:
        """Ask for a session with a peer; whether one stands already (with ourselves one always does)."""
        if peer == self.node_id:
            return True
        session = self._session(peer)
        if not session.live:
            session.want(now)
            self.soon(now)
        return session.live

    def round_trip(self, peer: bytes) -> float:
        """Return the measured round trip to a peer in seconds, 0 where none was measured."""
        known = self.roster.get(peer)
        return (known.round_trip or 0.0) if known is not None else 0.0

    def name_of(self, peer: bytes) -> str:
        """Return the name of a peer, or our own."""
        if peer == self.node_id:
            return self.presence.card.name
        session, known = self.sessions.get(peer), self.roster.get(peer)
        if session is not None:
            return session.name
        if known is not None:
            return known.card.name
        return self.presence.roster.departed.get(peer) or short(peer)

    def settled(self, now: float) -> bool:
        """Whether discovery has had its first answers."""
        return self.looked and not self.presence.rumours.unanswered and now >= self.opened_at + self.settle
