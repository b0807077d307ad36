"""Requests and answers of one node, joined to its sessions."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.core.calls.caller import Caller
from meshmq.core.calls.choice import Choice
from meshmq.core.calls.server import Server
from meshmq.core.calls.survey import Surveys
from meshmq.core.moments import earliest
from meshmq.core.part import Ground
from meshmq.wire.calls import unpack_answer, unpack_cancel, unpack_demand, unpack_request
from meshmq.wire.frames import Kind


class Calls:
    """What this node asks of others, and what it serves."""

    kinds = frozenset({Kind.REQUEST, Kind.ANSWER, Kind.CANCEL, Kind.DEMAND})

    def __init__(self, ground: Ground, now: float) -> None:
        self._ground = ground
        self.server = Server(ground)
        choice = self._choice = Choice(ground, self.server.serves)
        self.caller = Caller(ground, choice)
        self.surveys = Surveys(ground, choice, self.caller)

    @property
    def served(self) -> dict[str, None]:
        """The names of the services on our card."""
        return self.server.served

    def named(self, to: str) -> bytes | None:
        """Return the node of that name, or of that id in hex; ``None`` where none is here.

        Raises:
            AmbiguousPeer: several bear the name.
        """
        return self._choice.named(to)

    def read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Take what a session brought."""
        if kind is Kind.REQUEST:
            self.server.requested(peer, unpack_request(frames), now)
        elif kind is Kind.ANSWER:
            self.caller.answered(peer, unpack_answer(frames), now)
        elif kind is Kind.CANCEL:
            self.server.cancel(peer, unpack_cancel(frames[0]))
        elif kind is Kind.DEMAND:
            self.server.demand(peer, *unpack_demand(frames[0]))

    def awaits(self, peer: bytes) -> bool:
        """Whether a peer may send anything that is large."""
        return self.server.takes_large() or self.caller.awaits(peer)

    def session_up(self, peer: bytes, now: float) -> None:
        """Learn that a new session with a peer stands."""
        self.caller.session_up(peer, now)

    def session_ended(self, peer: bytes, reason: str, now: float, *, clean: bool) -> None:
        """Learn that a session is over."""
        self.server.lost(peer)
        self.caller.lost(peer, reason, now)

    def roster_changed(self, now: float) -> None:
        """Look who is here and what their cards say."""
        self.caller.roster_changed(now)
        self.surveys.roster_changed(now)

    def work(self, now: float) -> None:
        """Send what may be sent."""
        self.caller.work(now)

    def drain(self, now: float) -> None:
        """Take no new requests."""
        self.server.drain()

    def owes(self, now: float) -> bool:
        """Whether leaving now would leave somebody without an answer."""
        return self.server.owes()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self.server.tick(now)
        self.caller.tick(now)

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return earliest(self.server.deadline, self.caller.deadline)
