"""One timer of an event loop for all who wait there.

Nearly all waits end long before their time is over. A timer of the loop for each, made and cancelled, was a fifth of
what a request of a task cost; a note of the moment is a tenth of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshmq.core.alarms import Alarms

if TYPE_CHECKING:
    import asyncio  # it takes long to import, and threads need none of it

    from meshmq.links.waiter import LoopWaiter


class LoopTimer:
    """Moments of waiters, on the clock of ``loop``; used in its thread."""

    __slots__ = ("_alarms", "_at", "_handle", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._alarms: Alarms[LoopWaiter] = Alarms()
        self._handle: asyncio.TimerHandle | None = None
        self._at = 0.0

    def set(self, waiter: LoopWaiter, seconds: float) -> None:
        """Have ``waiter.expire()`` called in so many seconds, unless that is taken back before."""
        moment = self.loop.time() + seconds
        self._alarms.set(waiter, moment)
        if self._handle is None or moment < self._at:
            self._arm(moment)

    def clear(self, waiter: LoopWaiter) -> None:
        """Take back what was set."""
        self._alarms.set(waiter, None)  # the loop's timer is left as it is: it comes early, and looks

    def _arm(self, moment: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._at = moment
        self._handle = self.loop.call_at(moment, self._look)

    def _look(self) -> None:
        self._handle = None
        for waiter in self._alarms.due(max(self.loop.time(), self._at)):  # loops may be a tick early
            waiter.expire()
        moment = self._alarms.deadline
        if moment is not None:
            self._arm(moment)
