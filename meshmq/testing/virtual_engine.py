"""What stands between a face and a simulated participant: an ``Engine`` whose driver is the simulation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from meshmq.errors import ClosedError
from meshmq.links.room import WaitingRoom
from meshmq.links.waiter import Waiter

if TYPE_CHECKING:
    from meshmq.testing.simulated_node import SimulatedNode
    from meshmq.testing.simulation import Simulation
    from meshmq.testing.virtual_loop import VirtualLoop


class Opening(nullcontext[None]):
    """A gate that is never shut: everything happens in one thread, one after the other."""

    mine = False


class VirtualEngine:
    """The part of ``links.engine.Engine`` that faces use."""

    forked = False

    def __init__(self, sim: Simulation, node: SimulatedNode, loop: VirtualLoop) -> None:
        self._sim, self._node, self._loop = sim, node, loop
        self.gate = Opening()
        self.closed = self._turn_ends = False
        self._room = WaitingRoom()
        self._posted: deque[Callable[[], None]] = deque()

    def now(self) -> float:
        """Return what the node's clock shows."""
        return self._loop.time()

    def check(self) -> None:
        """Return if the engine can be used.

        Raises:
            ClosedError: the node has left, or died.
        """
        if self.closed:
            raise ClosedError(f"node {self._node.name!r} is closed")

    def flush(self) -> None:
        """Carry out what the participant asked for, and wake whom it named."""
        self._sim.flush(self._node)
        self.wake()
        if self._node.decider.gathered and not self._turn_ends:
            self._turn_ends = True
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._turn_ends = False
        if not self.closed:
            self._node.decider.end_turn(self.now())
            self.flush()

    def wake(self) -> None:
        """Wake whom the participant has named."""
        woken, self._node.woken = self._node.woken, []
        for key, count in woken:
            self._room.wake(key, count)

    def post(self, work: Callable[[], None]) -> None:
        """Have ``work`` done in this turn of the loop, or in the next."""
        if not self.closed:
            self._posted.append(work)
            self._loop.call_soon(self._do_posted)

    def _do_posted(self) -> None:
        self.catch_up()
        self.flush()

    def catch_up(self) -> None:
        """Do what was posted now."""
        while self._posted:
            self._posted.popleft()()

    def register(self, key: Hashable, waiter: Waiter) -> None:
        """Put a waiter in line."""
        self.check()
        self._room.enter(key, waiter)

    def unregister(self, key: Hashable, waiter: Waiter, *, took: bool = False) -> None:
        """Take a waiter out of the line."""
        self._room.leave(key, waiter, took)

    def close(self, linger: float, last: Callable[[], object] | None = None) -> None:
        """Say what is left to say, and be gone a moment later."""
        if not self.closed:
            if last is not None:
                last()
            self.flush()
            self.closed = True
            self._room.wake_all()
            self._sim.after(min(linger, 0.05), lambda: self._sim.leave(self._node))
