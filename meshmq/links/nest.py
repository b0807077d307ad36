"""One pollable descriptor around two: what carries, and a bell. Works under asyncio and uvloop [F 29]."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter
from typing import Final

from meshmq.links.bell import Bell
from meshmq.links.poller import new_poller

#: Lets others have the processor that wait for one.
_yield: Final[Callable[[], None]] = getattr(os, "sched_yield", lambda: None)


class Nest:
    """An epoll or kqueue that holds a foreign descriptor and a bell of its own."""

    __slots__ = ("_bell", "_inner", "_poller", "_rung", "fileno", "ring")

    def __init__(self, inner: int) -> None:
        self._inner = inner
        self._bell = Bell()
        self._poller = new_poller()
        self._poller.watch(inner, False)
        self._poller.watch(self._bell.fileno(), True)
        #: Whether the bell rang when somebody slept here last; ``None``: nobody looked since the last ``drain``.
        self._rung: bool | None = None
        self.ring = self._bell.ring
        self.fileno = self._poller.fileno

    def watch(self, seconds: float | None) -> None:
        """Sleep until something is there, or the bell rings."""
        self._rung = True in self._poller.poll(seconds)

    def stay(self, seconds: float) -> bool:
        """Stay awake until something is there, or the bell rings; ``False`` when ``seconds`` went by first."""
        end = perf_counter() + seconds
        while not (ready := self._poller.poll(0)):
            if perf_counter() >= end:
                return False
            _yield()
        self._rung = True in ready
        return True

    def drain(self) -> None:
        """Forget all rings so far; call it before looking for what they were about."""
        rung, self._rung = self._rung, None
        if rung is None:
            rung = True in self._poller.poll(0)
        if rung:
            self._bell.drain()

    def forget(self) -> None:
        """Let go of the foreign descriptor; before its owner closes it.

        A forked child's copy would keep a descriptor that is merely closed in the epoll for ever.
        """
        self._poller.unwatch(self._inner)

    def close(self) -> None:
        """Give the own descriptors back. In a forked child this is not felt by the parent; ``forget`` is."""
        self._poller.close()
        self._bell.close()
