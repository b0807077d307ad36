"""What wakes a node's links: one pollable descriptor over many sockets, a ready list, and timers.

ZeroMQ's descriptor is edge-triggered, and any operation on the socket can swallow the edge [F 4].
So a source that may have something to read stands in the ready list until a read has said that
nothing is there; whoever touches a socket outside of a step and finds it readable calls ``wake``.
The ready list goes round, a few messages each, so that a flood on one socket starves nobody.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from meshmq.links.base import Decider
from meshmq.links.bell import Bell
from meshmq.links.poller import READ, new_poller

_QUOTA: Final = 16
_BUDGET: Final = 256
_SPAN: Final = 0.002


class Source(Protocol):
    """Something that hands on what arrives at it."""

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Hand on at most ``quota`` messages and return their number; fewer means that nothing is left."""


class Ear(Source):
    """What happens to a socket, as a source of its own: what arrives there does not ask for it each time."""

    __slots__ = ("_listen",)

    def __init__(self, listen: Callable[[Decider, float], object]) -> None:
        self._listen = listen

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Hand on all of it."""
        self._listen(decider, now)
        return 0


class Sources:
    """All sources of one node; touched by one thread at a time, except ``post``."""

    def __init__(self) -> None:
        self._poller = new_poller()
        self._ready: deque[Source] = deque()
        self._marked: set[Source] = set()
        self._timers: list[tuple[float, int, Source]] = []
        self._order = itertools.count()
        self._posted: deque[Source] = deque()
        self._bell = Bell()
        self._poller.watch(self._bell.fileno(), None)
        self._now = 0.0
        #: How many of them are lanes.
        self.lanes = 0
        #: How many of those that lead to others are wide.
        self.wide_lanes = 0

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when ``step`` has something to do; it can be nested [F 29]."""
        return self._poller.fileno()

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``step`` has something to do without its descriptor saying so."""
        if self._ready:
            return self._now
        return self._timers[0][0] if self._timers else None

    def watch(self, fileno: int, source: Source, events: int = READ) -> None:
        """Mark ``source`` as ready whenever ``fileno`` is; also changes the events of one already watched."""
        self._poller.watch(fileno, source, events)

    def unwatch(self, fileno: int) -> None:
        """Stop watching, before the descriptor is closed."""
        self._poller.unwatch(fileno)

    def wake(self, source: Source) -> None:
        """Let the next step ask ``source``, and make the descriptor readable until then."""
        if source not in self._marked:
            self._mark(source)
            self._bell.ring()

    def later(self, source: Source, when: float) -> None:
        """Let the first step at or after the moment ``when`` ask ``source``."""
        heapq.heappush(self._timers, (when, next(self._order), source))

    def post(self, source: Source) -> None:
        """Do as ``wake`` does, from any thread."""
        self._posted.append(source)
        self._bell.ring()

    def step(self, decider: Decider, now: float) -> bool:
        """Ask the ready sources in turn, at most 256 messages or 2 ms; ``True`` if more is left."""
        self._now = now
        for source in self._poller.poll(0):
            if source is None:
                self._bell.drain()
            else:
                self._mark(source)
        while self._posted:
            self._mark(self._posted.popleft())
        while self._timers and self._timers[0][0] <= now:
            self._mark(heapq.heappop(self._timers)[2])
        budget, end = _BUDGET, time.perf_counter() + _SPAN
        while self._ready:
            source = self._ready.popleft()
            self._marked.discard(source)
            taken = source.drain(decider, now, _QUOTA)
            if taken >= _QUOTA:
                self._mark(source)
            budget -= taken
            if budget <= 0 or time.perf_counter() >= end:
                break
        return bool(self._ready)

    def close(self) -> None:
        """Let go of everything; the descriptors of the sources are not closed."""
        self._ready.clear()
        self._marked.clear()
        self._timers.clear()
        self._poller.close()
        self._bell.close()

    def _mark(self, source: Source) -> None:
        if source not in self._marked:
            self._marked.add(source)
            self._ready.append(source)
