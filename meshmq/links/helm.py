"""Who drives an engine: who sleeps on its descriptor, until when, and whether that has to be brought forward.

A driver *takes* the helm and keeps it. One that *lends* it (the keeper) lets a thread that must wait anyway
borrow it meanwhile. Whoever is at the helm says until when it sleeps, so that the bell is rung for an earlier
deadline only, and never for one who is awake and looks before it sleeps again.
"""

from __future__ import annotations

from math import inf
from typing import Final

from meshmq.links.nest import Nest
from meshmq.links.vigil import SPAN, Vigil

#: So many seconds late is not late: epoll counts in milliseconds.
_LATE: Final = 0.001


class Helm:
    """The descriptor, the deadline and who watches both. All but ``watch`` and ``ring`` inside the engine's gate."""

    __slots__ = (
        "_closed",
        "_lends",
        "_nest",
        "_vigil",
        "armed",
        "borrowed",
        "borrowed_until",
        "drain",
        "fileno",
        "lent_at",
        "ring",
        "taken",
        "until",
    )

    def __init__(self, inner: int, now: float) -> None:
        self._nest = Nest(inner)
        #: The moment at which a step is due though the descriptor is silent.
        self.armed = now
        #: Until when the driver sleeps at most; ``inf`` where that is not known. Written by the driver, at any time:
        #: it reads ``armed`` after, for what was brought forward meanwhile.
        self.until = inf
        #: The same of who borrows; ``-inf`` while it is awake.
        self.borrowed_until = inf
        self.taken = self.borrowed = False
        self._lends = self._closed = False
        #: When it was borrowed last, on the engine's clock.
        self.lent_at = -inf
        self.fileno = self._nest.fileno
        self.drain = self._nest.drain
        self.ring = self._nest.ring
        self._vigil = Vigil()

    def take(self, *, lends: bool) -> int:
        """Let a driver begin; the descriptor returned stays open until it leaves."""
        self.taken, self._lends, self.until = True, lends, inf
        return self.fileno()

    def leave(self) -> None:
        """End what ``take`` began."""
        self.taken = self._lends = False
        self._tidy()

    def borrow(self, now: float) -> bool:
        """Let a thread drive in the place of one who lends; it is awake. ``False`` where it cannot."""
        if not self._lends or self.borrowed or self._closed:
            return False
        self.borrowed, self.borrowed_until, self.lent_at = True, -inf, now
        return True

    def give_back(self) -> None:
        """End what ``borrow`` began; whoever lent it goes on, and is woken for what is due before it wakes anyhow."""
        self.borrowed = False
        if self.armed < self.until - _LATE:
            self.ring()
        if self._closed:
            self._tidy()

    def watch(self, seconds: float, *, stays: bool) -> None:
        """Sleep until there is something to do, at most ``seconds``; with ``stays`` awake at first, if that pays."""
        if stays and seconds > 0 and self._vigil.begins():
            caught = self._nest.stay(min(seconds, SPAN))
            self._vigil.ended(caught=caught)
            if caught:
                return
        self._nest.watch(seconds)

    def bring_forward(self, moment: float) -> None:
        """Have a step done at that moment at the latest."""
        if moment < self.armed:
            self.armed = moment
            if moment < (self.borrowed_until if self.borrowed else self.until):
                self.ring()

    def close(self) -> None:
        """Watch nothing more; the descriptor is closed by the last who sleeps on it."""
        self._closed = True
        self._nest.forget()
        self.armed = inf
        self.ring()
        self._tidy()

    def drop(self) -> None:
        """Give everything back, in a forked child: nobody sleeps here."""
        self._nest.close()

    def _tidy(self) -> None:
        if self._closed and not self.taken and not self.borrowed:
            self._nest.close()
