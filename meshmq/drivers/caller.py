"""A thread that must wait for a node drives its engine meanwhile, so that what it waits for wakes it and nobody else.

Woken by the keeper instead, each answer costs two changes of threads: 2.5 times a bare round trip, and 1.6 times
this way [F 62]. One thread at a time borrows the helm from the keeper; others who wait for the same node sleep on
locks of their own, and are woken by whoever steps the engine. When it has what it waited for the keeper goes on.
"""

from __future__ import annotations

from math import inf
from threading import get_ident
from typing import Final

from meshmq.drivers.keeper import keeper
from meshmq.links.engine import Engine
from meshmq.links.interrupts import state, strike
from meshmq.links.waiter import ThreadWaiter

#: What epoll takes is bounded, and whoever wakes early sleeps again.
_LONGEST: Final = 3600.0


class Caller(ThreadWaiter):
    """Waits as a ``ThreadWaiter`` does, and at the helm of ``engine`` where that is to be had.

    ::

        with Caller(engine) as caller:
            while True:
                with engine.gate:
                    caller.look()               # does what is to be done before it is tried again
                    ... try it, or register and caller.take_helm(now); engine.flush(); caller.rest()
                caller.watch(seconds)
            ... in any case, inside the gate: unregister, and caller.leave_helm()
    """

    __slots__ = ("_asleep", "_engine", "_has_lock", "_stays", "_steers", "_until", "woken")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._steers = self._asleep = self._has_lock = self._stays = False
        self._until = 0.0
        #: Whether there is reason to try: it has not yet, or was woken since it last registered.
        self.woken = True

    def wake(self) -> bool:
        """Wake the thread; inside the gate."""
        self.woken = True
        if self._asleep:
            self._engine.helm.ring()
        elif self._has_lock:
            return super().wake()
        return True

    def take_helm(self, now: float) -> None:
        """Drive from now on, if nobody but the keeper does; inside the gate."""
        self.woken = False
        if self._steers:
            return
        if keeper().lend(self._engine, now):
            self._steers = True
        elif not self._has_lock:  # which who drives can do without
            super().__init__()
            self._has_lock = True

    def rest(self) -> None:
        """Say that sleep comes next; inside the gate, the last thing there."""
        if self._steers:
            helm = self._engine.helm
            # What it tried may have woken it itself: then it does not sleep.
            helm.borrowed_until = self._until = -inf if self.woken else helm.armed
            self._asleep = True
            self._stays = self._engine.may_stay_awake()

    def watch(self, seconds: float) -> None:
        """Sleep until there is something to do, at most ``seconds``; outside the gate.

        Raises:
            KeyboardInterrupt, SystemExit: as ``ThreadWaiter.wait``.
        """
        if not self._steers:
            self.wait(seconds)
            return
        helm = self._engine.helm
        seconds = max(min(seconds, self._until - self._engine.now(), _LONGEST), 0.0)
        if get_ident() != state.thread or not state.depth:
            helm.watch(seconds, stays=self._stays)
            return
        # Signals are noted here, and a handler that has noted one rings.
        state.sleeper = helm.ring
        if not state.noted:
            helm.watch(seconds, stays=self._stays)
        state.sleeper = None
        if state.noted:
            strike()

    def look(self) -> None:
        """Do at the helm what there is to do; inside the gate, after sleep."""
        if self._steers:
            self._asleep, self._engine.helm.borrowed_until = False, -inf
            self._engine.step_inside()

    def leave_helm(self) -> None:
        """Let the keeper go on; inside the gate, twice is once."""
        if self._steers:
            self._steers = self._asleep = False
            keeper().take_back(self._engine)
