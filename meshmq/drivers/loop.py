"""Drives an engine from an asyncio event loop: no thread, no hop between threads, but where the loop blocks.

Where a loop cannot watch descriptors (Windows' default) the keeper drives, and the waiters wake the
loop through ``call_soon_threadsafe``; ``MESHMQ_PORTABLE=1`` forces that way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from threading import get_ident
from time import perf_counter

from meshmq.drivers.keeper import KeeperDriver, keeper
from meshmq.errors import MeshError
from meshmq.links.engine import Engine
from meshmq.links.vigil import SPAN, Vigil


class LoopDriver:
    """Steps ``engine`` in ``loop``, once per turn of the loop, so that a flood starves no other task.

    ``portable=True`` has the keeper drive; ``None`` asks ``MESHMQ_PORTABLE`` and the loop. Made,
    attached and detached in the thread of the loop.
    """

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop, *, portable: bool | None = None) -> None:
        self._engine = engine
        self._loop = loop
        self._portable = os.environ.get("MESHMQ_PORTABLE", "") not in ("", "0") if portable is None else portable
        self._keeper = KeeperDriver(engine)
        self._descriptor: int | None = None
        #: The turn that comes without the descriptor, and when (in the loop's time).
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        self._thread = get_ident()
        #: Whether the loop will tell the end of this turn.
        self._turn_ends = False
        self._vigil = Vigil()
        #: Until when the loop is kept awake, where it is.
        self._awake_until: float | None = None

    @property
    def portable(self) -> bool:
        """Whether the keeper drives; known after ``attach``."""
        return self._portable

    def attach(self) -> None:
        """Begin to drive.

        Raises:
            ClosedError: the engine is closed.
            InUseError: the engine is driven already.
        """
        if self._portable:
            self._keeper.attach()
            return
        descriptor = self._engine.take_helm()
        try:
            self._loop.add_reader(descriptor, self._arrived)
            keeper().watch_over(self._engine, self._loop.is_running)
        except NotImplementedError:
            self._engine.leave_helm()
            self._portable = True
            self._keeper.attach()
            return
        except BaseException:
            with contextlib.suppress(RuntimeError):
                self._loop.remove_reader(descriptor)
            self._engine.leave_helm()
            raise
        self._descriptor = descriptor
        with self._engine.gate:
            self._engine.gather(self._gathers)
        self._arm()

    def detach(self) -> None:
        """Stop driving; also after the loop was closed. Twice is once."""
        if self._portable:
            self._keeper.detach()
            return
        descriptor, self._descriptor, self._awake_until = self._descriptor, None, None
        if descriptor is None:
            return
        if not self._engine.closed:
            with contextlib.suppress(MeshError), self._engine.gate:  # what goes wrong has broken the engine
                self._engine.gather(None)
        self._disarm()
        keeper().let_go(self._engine)
        # In a forked child the loop's own descriptor is shared with the parent: hands off.
        if not self._engine.forked:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and watches nothing
                self._loop.remove_reader(descriptor)
        self._engine.leave_helm()

    def _gathers(self) -> None:
        """Have what gathers sent once those tasks have had their turn that are ready now."""
        if self._turn_ends:
            return
        self._turn_ends = True
        try:
            if get_ident() == self._thread:
                self._loop.call_soon(self._end_turn)
            else:
                self._loop.call_soon_threadsafe(self._end_turn)
        except RuntimeError:  # the loop is closed: there are no turns any more
            self._engine.gather(None)

    def _end_turn(self) -> None:
        self._turn_ends = False
        self._engine.end_turn()

    def _arrived(self) -> None:
        self._turn()
        if self._awake_until is not None:
            self._vigil.ended(caught=True)
            self._awake_until = perf_counter() + SPAN
        elif self._engine.may_stay_awake() and self._vigil.begins():
            self._awake_until = perf_counter() + SPAN
            self._loop.call_soon(self._stay)

    def _stay(self) -> None:
        """Have the loop look again instead of going to sleep."""
        if self._awake_until is None:
            return
        if perf_counter() < self._awake_until:
            self._loop.call_soon(self._stay)
        else:
            self._awake_until = None
            self._vigil.ended(caught=False)

    def _turn(self) -> None:
        try:
            if not self._engine.forked:
                self._engine.step()
        finally:  # Ctrl-C may strike here, and the loop be run again to end what is under way
            if self._engine.closed:
                self.detach()
            else:
                self._arm()

    def _due(self) -> None:
        """The timer was set for a deadline that may have moved since, or for a clock that stands."""
        self._timer = None
        deadline = self._engine.deadline
        if self._engine.closed or (deadline is not None and deadline <= self._engine.now()):
            self._turn()
        else:
            self._arm()

    def _arm(self) -> None:
        deadline = self._engine.deadline
        if deadline is None or self._descriptor is None:
            return
        seconds = deadline - self._engine.now()
        # What is due goes through the loop and not at once: others get their turn between two steps.
        at = self._loop.time() + seconds if seconds > 0 else 0.0
        if self._timer is not None and self._timer_at <= at:
            return  # it comes early, and looks again: cheaper than to cancel one in each turn
        self._disarm()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._due) if at else self._loop.call_soon(self._due)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
