"""Stands between who decides and what carries: one lock, one descriptor, one deadline, one ``step``.

An engine never waits. Who waits for it is a driver (``meshmq.drivers``): the driver takes the helm,
sleeps until ``fileno()`` is readable or ``deadline`` has come, calls ``step()``, and again. Everybody
else who must wait registers a waiter, and whoever steps the engine, or changes something and
flushes, wakes the waiters that this satisfied, oldest first. Nobody but the one at the helm sleeps
on the descriptor: two who do steal each other's edges [F 4] and stall each other 75-fold [F 41].

The deadline that drivers read is *armed*: computed under the lock at the end of each step, and only
ever brought forward between steps, with a ring of the bell that is part of the descriptor. So a
driver that sleeps until the deadline it has read never sleeps too long.

An exception from inside that is not the caller's *breaks* the node: its links are closed as they are,
all who wait are woken, and every later call raises ``ClosedError`` from it.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Hashable
from math import inf
from typing import Final

from meshmq.errors import InUseError, MeshError
from meshmq.links.base import Decider, Links
from meshmq.links.carry import carry_out
from meshmq.links.forks import tell_in_child
from meshmq.links.helm import Helm
from meshmq.links.lifetime import LOGGER, Lifetime
from meshmq.links.room import WaitingRoom
from meshmq.links.waiter import Waiter


class Engine(Lifetime):
    """Hands the decider what arrives, and the links what the decider asks for.

    ``clock`` may be a clock in a test's hand; whoever moves it calls ``wake()`` after, because a
    driver sleeps in real time. Every call on the decider is made inside ``with engine.gate:``,
    and ends with ``flush()`` if it changed something.
    """

    def __init__(
        self, decider: Decider, links: Links, *, clock: Callable[[], float] = time.monotonic, name: str
    ) -> None:
        super().__init__(name)
        self._decider, self._links = decider, links
        #: The moment it is on the engine's clock, in seconds.
        self.now: Final = clock
        self._posted: deque[Callable[[], None]] = deque()
        self._room = WaitingRoom()
        self._stepping = False
        self._told: Callable[[], object] | None = None
        #: For drivers.
        self.helm = Helm(links.fileno(), clock())
        tell_in_child(self._forked)

    def __repr__(self) -> str:
        state = "broken" if self._cause else "closed" if self.closed else "open"
        return f"<Engine {self.name!r} {state}, {len(self._room)} waiting>"

    def fileno(self) -> int:
        """Return the one descriptor to sleep on: an epoll or kqueue around the links' and the bell's.

        Raises:
            ClosedError: the engine is closed.
        """
        self.check()
        return self.helm.fileno()

    @property
    def deadline(self) -> float | None:
        """The moment at which ``step`` is due though the descriptor is silent; in the past if something was left."""
        armed = self.helm.armed
        return None if armed == inf else armed

    def take_helm(self, *, lends: bool = False) -> int:
        """Announce a driver; the descriptor returned stays open until it leaves, also if the engine is closed first.

        With ``lends`` threads that wait may borrow the helm, and the driver has its turn when they give it back.

        Raises:
            ClosedError: the engine is closed.
            InUseError: somebody is at the helm already.
        """
        with self.gate:
            self.check()
            if self.helm.taken:
                raise InUseError(f"node {self.name!r} is driven already: detach its driver first")
            return self.helm.take(lends=lends)

    def leave_helm(self) -> None:
        """End what ``take_helm`` began; the descriptor is no longer watched by anybody. Twice is once."""
        if self.forked:
            return
        with self.gate:
            self.helm.leave()

    def step(self) -> None:
        """Do one bounded step: posted work, what has arrived (256 frames or 2 ms), what is due, what that asks for.

        Waits for nothing but the lock. What goes wrong inside breaks the engine and is not raised:
        a driver looks at ``closed`` after each step.

        Raises:
            ForkedError: the engine belongs to the parent process.
        """
        if self.closed and not self.forked:
            return
        with self.gate:
            self.step_inside()
            if self.helm.borrowed:  # just now, after its driver looked: what it sleeps on may be another's by this step
                self.helm.ring()

    def step_inside(self) -> None:
        """Do as ``step``, inside the gate."""
        if self.closed:
            return
        self._stepping = True
        try:
            self._step()
        except Exception as cause:  # MeshErrors too: here there is no caller whose fault it could be
            self.break_(cause)
        finally:
            self._stepping = False

    def _step(self) -> None:
        decider, links = self._decider, self._links
        self.helm.drain()
        if self._posted:
            self.catch_up()
            if self.closed:
                return
        left = links.step(decider, self.now())
        decider.sent_in_turn = False
        now = self.now()
        deadline = decider.deadline
        if deadline is not None and deadline <= now:
            decider.tick(now)
        if decider.outputs:
            self._send_out()
        if decider.woken or decider.words:
            self._tell()
        deadline, of_links = decider.deadline, links.deadline
        if of_links is not None and (deadline is None or of_links < deadline):
            deadline = of_links
        self.helm.armed = now if left else inf if deadline is None else deadline

    def flush(self) -> None:
        """Carry out what the decider asked for, wake whom it named, and tell the driver of an earlier deadline.

        To be called inside the gate, after every call that changed something.
        """
        decider = self._decider
        if decider.outputs:
            self._send_out()
        if decider.woken or decider.words:
            self._tell()
        deadline = decider.deadline
        if deadline is not None and deadline < self.helm.armed:
            self._bring_forward(deadline)
        if decider.gathered and self._told is not None:
            self._told()

    def send_early(self) -> None:
        """Send what a thread asked for before it prepares to sleep, inside the gate: 0.95 of the round trip.

        Not where others wait: it would wake who drives, and four threads had three times as many steps.
        """
        if self._decider.outputs and not len(self._room):
            self._send_out()

    def gather(self, told: Callable[[], object] | None) -> None:
        """Have what calls send in one turn of the driver go together; inside the gate.

        ``told`` is called in there when something gathers: have ``end_turn`` called after the turn. With ``None`` each
        goes by itself.
        """
        self._told = told
        self._decider.gathers = told is not None
        self._decider.end_turn(self.now())
        self.flush()

    def end_turn(self) -> None:
        """Send what has gathered in a turn of the driver."""
        if self.closed:
            return
        try:
            with self.gate:
                if not self.closed:
                    self._decider.end_turn(self.now())
                    self.flush()
        except MeshError:  # it broke, and says so
            return

    def post(self, work: Callable[[], None]) -> None:
        """Have ``work`` done inside the next step; from any thread, signal handler or ``__del__``.

        Never waits. On a closed engine it is dropped; what it raises breaks the engine.
        """
        if not self.closed:
            self._posted.append(work)
            self.helm.ring()

    def catch_up(self) -> None:
        """Do what was posted now and not in the next step; inside the gate."""
        for _ in range(len(self._posted)):  # what is posted meanwhile rings again
            self._posted.popleft()()
            if self.closed:
                return

    def may_stay_awake(self) -> bool:
        """Whether who drives may do so for a moment before it sleeps: where lanes lead here, and nobody else waits."""
        return self._links.lanes > 0 and len(self._room) < 2

    def wake(self) -> None:
        """Make whoever is at the helm step now; from anywhere. Call it after moving a clock by hand."""
        if not self.forked:
            self.helm.ring()

    def register(self, key: Hashable, waiter: Waiter) -> None:
        """Put ``waiter`` in the line for ``key``; inside the gate. It is unregistered in any case.

        One that was woken in vain and registers again keeps its place at the head.

        Raises:
            ClosedError: the engine is closed; nobody would wake it.
        """
        self.check()
        self._room.enter(key, waiter)

    def unregister(self, key: Hashable, waiter: Waiter, *, took: bool = False) -> None:
        """Take ``waiter`` out of the line for ``key``; inside the gate.

        One that was woken and did not take (``took=False``: it was cancelled, or its time was over
        in the same moment) passes the wake on to the next.
        """
        self._room.leave(key, waiter, took)

    def close(self, linger: float, last: Callable[[], object] | None = None) -> None:
        """Carry out what is left to do, close the links, wake all who wait.

        ``last`` is called inside the gate, and nothing arrives after it. What was sent has ``linger``
        seconds to leave. Does nothing a second time, but wait for the first, and in a forked child.
        """
        if self.forked or self.gate.mine:
            return
        with self.gate:
            if not self.closed:
                if last is not None:
                    last()
                self.flush()
                self._shut(linger)

    def _shut(self, linger: float) -> None:
        self.closed = True
        self.helm.close()
        try:
            self._links.close(linger)
        except Exception as error:
            sentence = f"node {self.name!r}: closing its links failed: {error!r}"
            self.gate.words.append((logging.WARNING, LOGGER, sentence))
        self.gate.words.extend(self._decider.words)
        self._decider.words.clear()
        self._posted.clear()
        self._room.wake_all()

    def _send_out(self) -> None:
        try:
            if not self.closed:
                carry_out(self._decider, self._links, self.now)
        except MeshError as cause:  # not the fault of the call that flushes
            self.break_(cause)
            raise self._closed_error() from cause
        finally:
            self._decider.outputs.clear()
        # Sending may swallow the edge of the links' descriptor [F 4]; they tell so by a deadline.
        deadline = self._links.deadline
        if deadline is not None and deadline < self.helm.armed:
            self._bring_forward(deadline)

    def _tell(self) -> None:
        decider = self._decider
        for key, count in decider.woken:
            self._room.wake(key, count)
        decider.woken.clear()
        self.gate.words.extend(decider.words)
        decider.words.clear()

    def _bring_forward(self, moment: float) -> None:
        if not self.closed and not self._stepping:
            self.helm.bring_forward(moment)

    def _forked(self) -> None:
        self.forked = self.closed = True
        self.gate.forked()
        self._posted.clear()
        self.helm.drop()
