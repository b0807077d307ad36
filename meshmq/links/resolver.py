"""Turns host names into addresses in threads of its own, because the system's resolver waits."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from meshmq.links.interrupts import start_apart

#: An address as ``socket`` wants it: family, and what ``connect`` takes.
Resolved = tuple[int, tuple[Any, ...]]
Lookup = Callable[[str, int], list[Resolved]]

_THREADS: Final = 4


def numeric(host: str, port: int) -> list[Resolved]:
    """Return what ``host`` means if it is an address already, else nothing; never asks anybody."""
    return _ask(host, port, socket.AI_NUMERICHOST)


def ask(host: str, port: int) -> list[Resolved]:
    """Ask the system what ``host`` means; may wait for long."""
    return _ask(host, port, 0)


def _ask(host: str, port: int, flags: int) -> list[Resolved]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError, ValueError, OverflowError):
        return []
    return [(int(family), address) for family, _, _, _, address in found]


class Resolver:
    """Resolves in at most four threads, which end when there is nothing to do."""

    def __init__(self, lookup: Lookup = ask) -> None:
        self._lookup = lookup
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, int, Callable[[list[Resolved]], None]]] = deque()
        self._threads = 0

    def resolve(self, host: str, port: int, done: Callable[[list[Resolved]], None]) -> None:
        """Call ``done`` with what ``host`` means, nothing where it is unknown: from another thread, if there is one."""
        with self._lock:
            self._waiting.append((host, port, done))
            if self._threads >= _THREADS:
                return
            self._threads += 1
        try:
            start_apart(threading.Thread(target=self._work, name="meshmq-resolver", daemon=True))
        except RuntimeError:  # the system gives no thread: who dials tries again later
            self._give_up()

    def _give_up(self) -> None:
        """Leave what waits to the other threads; where there are none nothing is known."""
        with self._lock:
            self._threads -= 1
            left = [] if self._threads else [self._waiting.popleft() for _ in range(len(self._waiting))]
        for _, _, done in left:
            done([])

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                host, port, done = self._waiting.popleft()
            done(self._lookup(host, port))


_resolver = Resolver()


def _forked() -> None:
    global _resolver
    _resolver = Resolver()  # the parent's threads are not here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def process_resolver() -> Resolver:
    """Return this process's resolver."""
    return _resolver
