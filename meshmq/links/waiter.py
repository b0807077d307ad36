"""How a thread, and how an asyncio task, sleeps until an engine wakes it."""

from __future__ import annotations

import contextlib
import threading
from threading import TIMEOUT_MAX, get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from meshmq.links.interrupts import state, strike

if TYPE_CHECKING:
    import asyncio  # it takes long to import, and threads need none of it

    from meshmq.links.loop_timer import LoopTimer


class Waiter(Protocol):
    """Somebody who waits. Waking may be spurious: whoever is woken tries again, and may wait again.

    The contract of waiting, for threads and tasks alike (``engine`` is an ``Engine``)::

        with engine.gate:
            engine.register(key, waiter)
        try:
            with engine.gate: try it; if that works, took = True
            ... waiter.wait(remaining); register and try again
        finally:
            with engine.gate:
                engine.unregister(key, waiter, took=took)

    What was registered is unregistered, come what may: a wake that was given and not used is then
    passed on to the next in line.
    """

    def wake(self) -> bool:
        """Wake it, from any thread; ``False`` when nobody is there any more. Never waits."""


class ThreadWaiter:
    """A thread that sleeps on a lock of its own.

    In the main thread signals strike in ``wait``. As a context manager it sees to it that they
    strike *only* there, so that the second Ctrl-C cannot fall between waking and unregistering::

        with ThreadWaiter() as waiter:
            ...
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wake(self) -> bool:
        """Wake the thread; a second wake before it has slept again is the same as one."""
        with contextlib.suppress(RuntimeError):
            self._lock.release()
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until woken; return ``False`` when ``timeout`` seconds went by first.

        ``timeout=0`` does not sleep. A wake from before the call counts.

        Raises:
            KeyboardInterrupt: Ctrl-C, in the main thread.
            SystemExit: SIGTERM, in the main thread.
        """
        seconds = -1.0 if timeout is None else min(max(timeout, 0.0), TIMEOUT_MAX)
        if get_ident() != state.thread or not state.depth:
            return self._lock.acquire(True, seconds)
        # Signals are noted here, and a handler that has noted one releases the lock we sleep on.
        state.sleeper = self._lock.release
        woken = not state.noted and self._lock.acquire(True, seconds)
        state.sleeper = None
        if state.noted:
            strike()
        return woken

    def __enter__(self) -> Self:
        if get_ident() == state.thread:
            state.depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if get_ident() == state.thread:
            state.depth -= 1
            if state.noted and not state.depth:
                strike()


class LoopWaiter:
    """A task that sleeps in the event loop of ``timer``. Made, and waited for, in the thread of that loop."""

    __slots__ = ("_future", "_loop", "_thread", "_timer", "_woken")

    def __init__(self, timer: LoopTimer) -> None:
        self._timer, self._loop = timer, timer.loop
        self._thread = get_ident()
        self._future: asyncio.Future[None] | None = None
        self._woken = False

    def wake(self) -> bool:
        """Wake the task, through the loop where it is another thread's; ``False`` when the loop is closed."""
        if self._loop.is_closed():
            return False
        if get_ident() == self._thread:
            self._rouse()
            return True
        try:
            self._loop.call_soon_threadsafe(self._rouse)
        except RuntimeError:  # closed since we looked
            return False
        return True

    async def wait(self, timeout: float | None = None) -> bool:
        """Sleep until woken; return ``False`` when ``timeout`` seconds went by first.

        ``timeout=0`` does not sleep and does not yield. A wake from before the call counts, and one
        that comes in the moment of a cancellation is kept: unregistering passes it on.

        Raises:
            asyncio.CancelledError: the task was cancelled.
        """
        if not self._woken and (timeout is None or timeout > 0):
            future = self._future = self._loop.create_future()
            if timeout is not None:
                self._timer.set(self, timeout)
            try:
                await future
            finally:
                self._future = None
                if timeout is not None:
                    self._timer.clear(self)
        woken, self._woken = self._woken, False
        return woken

    def expire(self) -> None:
        """Learn that the time is over."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def _rouse(self) -> None:
        self._woken = True
        self.expire()
