"""A thread with an event loop of its own, shared by all of a process that ask for the same thing.

Whoever comes first starts it, whoever leaves last ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from meshmq.links.interrupts import start_apart

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")

_Work = Callable[..., Coroutine[Any, Any, None]]


class Shared(Generic[KeyT, ValueT]):
    """Things made for the first who asks and forgotten with the last, counted by key; one for the whole process."""

    def __init__(self, make: Callable[[KeyT], ValueT]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._things: dict[KeyT, tuple[ValueT, int]] = {}
        self._parents: list[dict[KeyT, tuple[ValueT, int]]] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_in_child)

    def acquire(self, key: KeyT) -> ValueT:
        """Return the thing for ``key``, made if there is none."""
        with self._lock:
            thing, users = self._things.get(key) or (self._make(key), 0)
            self._things[key] = thing, users + 1
            return thing

    def release(self, key: KeyT) -> bool:
        """Count one user less and return whether that was the last; then the thing is the caller's to end."""
        with self._lock:
            thing, users = self._things.pop(key)
            if users > 1:
                self._things[key] = thing, users - 1
            return users == 1

    def _forget_in_child(self) -> None:
        # The threads did not come along, and one of them may hold the lock. What was the parent's is
        # kept and never collected: closing its loop here would unhook it from the parent's epoll too.
        self._parents.append(self._things)
        self._things, self._lock = {}, threading.Lock()


class SharedLoop:
    """A daemon thread that runs coroutines until it is told the last."""

    def __init__(self, name: str) -> None:
        self._process = os.getpid()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        # Not the loop of a policy: what an application chose for itself (uvloop) does not concern us.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        try:
            start_apart(self._thread)
        except BaseException:  # the system gives no thread
            self._loop.close()
            raise

    @property
    def is_ours(self) -> bool:
        """Whether this process started it: a forked child has the object without the thread."""
        return self._process == os.getpid()

    def post(self, work: _Work, *arguments: object) -> None:
        """Have ``work(*arguments)`` run in the loop; from any thread. Ignored once the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.spawn, work, *arguments)

    def spawn(self, work: _Work, *arguments: object) -> None:
        """As ``post``, from within the loop."""
        if not self._ended.is_set():
            task = self._loop.create_task(work(*arguments))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def finish(self, work: _Work, *arguments: object, within: float, last: bool) -> None:
        """Run ``work`` and wait for it, ``within`` seconds at most; after the ``last``, the thread ends.

        Called from within the loop, it does not wait.
        """
        done = threading.Event()

        async def run() -> None:
            try:
                await work(*arguments)
            finally:
                done.set()
                if last:
                    self._ended.set()

        self.post(run)
        if threading.current_thread() is not self._thread:
            if last:
                self._thread.join(within)
            else:
                done.wait(within)

    def _serve(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._live())

    async def _live(self) -> None:
        await self._ended.wait()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
