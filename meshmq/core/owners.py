"""Owners: whose the keys of one outbox may be: all who pull its queue, but those who take nothing while jobs wait.

A node that pulls a queue asks for jobs only while somebody takes them there; and it may be that no session with it
stands. Its keys go to the others after a while, and come back when it takes jobs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from meshmq.core.directed import Directed
from meshmq.core.routes import Route

#: For so many seconds jobs wait for the worker of their key, where it has none and asks for none.
PATIENCE: Final = 5.0


class Owners:
    """Those who pull one queue, and who of them takes jobs."""

    def __init__(self) -> None:
        self._pullers: list[bytes] = []
        #: Since when jobs wait for one that takes none.
        self._silent: dict[bytes, float] = {}
        #: When the next of them has had time enough.
        self.deadline: float | None = None

    def meet(self, pullers: Iterable[bytes]) -> None:
        """Learn who pulls."""
        self._pullers = list(pullers)
        self._silent = {peer: since for peer, since in self._silent.items() if peer in self._pullers}

    def look(self, routes: Mapping[bytes, Route], directed: Directed, now: float) -> list[bytes]:
        """Return whose keys may be; where nobody takes jobs, that is everybody."""
        for peer in self._pullers:
            route = routes.get(peer)
            if route is not None and (route.free > 0 or route.flights or route.held):
                self._silent.pop(peer, None)
            elif directed.waiting(peer.hex()):
                self._silent.setdefault(peer, now)
        over = {peer: since + PATIENCE for peer, since in self._silent.items()}
        self.deadline = min((moment for moment in over.values() if moment > now), default=None)
        return [peer for peer in self._pullers if over.get(peer, now + 1) > now] or self._pullers

    def due(self, now: float) -> bool:
        """Whether it is time to look again."""
        return self.deadline is not None and now >= self.deadline
