"""An asyncio event loop in virtual time: tasks, timers and futures of one simulated node, without a descriptor."""

from __future__ import annotations

import asyncio
import heapq
from asyncio.events import _get_running_loop, _set_running_loop
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from meshmq import deadline

if TYPE_CHECKING:
    from meshmq.testing.simulated_node import SimulatedNode
    from meshmq.testing.simulation import Simulation

ResultT = TypeVar("ResultT")
ArgsT = TypeVarTuple("ArgsT")


class VirtualLoop(asyncio.AbstractEventLoop):
    """What is ready runs as soon as its node runs; what waits for a time waits by its node's clock.

    While the node is stopped nothing runs, and when it is dead nothing ever does. There are no sockets, pipes,
    signals and processes in virtual time; what is given to a thread is done at once.
    """

    def __init__(self, sim: Simulation, node: SimulatedNode) -> None:
        self._sim, self._node = sim, node
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._ties = count()
        # asyncio holds tasks weakly: one that waits for ever would be cleared away at a moment that no seed decides.
        self._tasks: set[asyncio.Task[Any]] = set()
        self._planned = self._turning = False
        self._timer_at: float | None = None
        #: The first error that no task has taken.
        self.failure: BaseException | None = None
        # What the program asks of others is over by the node's clock, too.
        self._outermost = copy_context()
        self._outermost.run(deadline.tell_by, self.time)

    def __repr__(self) -> str:
        return f"<VirtualLoop of {self._node.name}>"

    def time(self) -> float:
        """Return what the node's clock shows."""
        return max(self._node.moment, self._node.clock.at(self._sim.now))

    def turn(self) -> None:
        """Run what is ready, and what becomes ready by it; called while the node is handed something.

        Raises:
            BaseException: a task failed, and nobody awaits it.
        """
        before = _get_running_loop()
        _set_running_loop(self)
        self._turning = True
        try:
            while self._timers and self._timers[0][0] <= self.time():
                self._ready.append(heapq.heappop(self._timers)[2])
            while self._ready and self.failure is None:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            self._turning = False
            _set_running_loop(before)
        self.plan_timer()
        if self.failure is not None:
            raise self.failure

    def plan_timer(self) -> None:
        """Have a turn when the next timer is due."""
        if self._timers and self._timers[0][0] != self._timer_at:
            due = self._timer_at = self._timers[0][0]
            # A little after, for the clock rounds.
            self._sim.at(self._node.clock.when(due) + 1e-9, lambda: self._due(due))

    def _due(self, due: float) -> None:
        if self._timer_at == due:
            self._timer_at = None
            self._plan()

    def _plan(self) -> None:
        if not (self._planned or self._turning):
            self._planned = True
            self._sim.at(self._sim.now, self._enter)

    def _enter(self) -> None:
        self._planned = False
        if self._ready or (self._timers and self._timers[0][0] <= self.time()):
            self._sim.enter(self._node, "runs its program", lambda *_: self.turn())

    # What asyncio asks of a loop.

    def call_soon(
        self, callback: Callable[[*ArgsT], object], *args: *ArgsT, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it in this turn, or in the next."""
        context = context or (copy_context() if self._turning else self._outermost.copy())
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        self._plan()
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*ArgsT], object], *args: *ArgsT, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it in this turn, or in the next; there are no other threads."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*ArgsT], object], *args: *ArgsT, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it after so many seconds of the node's clock."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*ArgsT], object], *args: *ArgsT, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call it when the node's clock shows ``when``."""
        handle = asyncio.TimerHandle(when, callback, args, self, context or copy_context())
        heapq.heappush(self._timers, (when, next(self._ties), handle))
        if not self._turning and self._timers[0][2] is handle:
            self.plan_timer()
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing: it is passed over when it is due."""

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, ResultT] | Coroutine[Any, Any, ResultT],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[ResultT]:
        """Return a task of this loop."""
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run_in_executor(  # type: ignore[override]  # done at once, so that it need not be awaited
        self, executor: Any, func: Callable[..., ResultT], *args: Any
    ) -> asyncio.Future[ResultT]:
        """Do it now."""
        future = self.create_future()
        future.set_result(func(*args))
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Have an error that nobody took fail the run."""
        if self.failure is None:
            self.failure = context.get("exception")

    def is_running(self) -> bool:
        """Say yes: it does whenever its node does."""
        return True

    def is_closed(self) -> bool:
        """Say no."""
        return False

    def get_debug(self) -> bool:
        """Say no."""
        return False
