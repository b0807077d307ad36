"""The lock around everything a node decides: not reentrant, safe from signals, useless after a fork."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from threading import get_ident
from types import TracebackType
from typing import Final

from meshmq.errors import ForkedError, MeshError
from meshmq.links.interrupts import state, strike

FORKED: Final = "this node belongs to the parent process: create the Node in the child process"


class Gate:
    """A lock for ``with``: what happens inside happens whole.

    - A Ctrl-C or SIGTERM that arrives inside is raised when the main thread has left.
    - ``words`` collects log records ``(level, logger, sentence)``; they are logged by whoever leaves,
      after the lock is given back, so that no handler of the program's runs inside.
    - An exception that leaves the inside and is no ``MeshError`` is handed to ``broken`` while the
      lock is still held; what ``broken`` returns is raised in its place, from it. (What is no
      ``Exception`` either, as ``SystemExit``, goes on as it is.)
    - In a forked child it cannot be entered: ``ForkedError``, also where the parent was inside.
    """

    __slots__ = ("__weakref__", "_acquire", "_broken", "_owner", "_release", "words")

    def __init__(self, broken: Callable[[BaseException], MeshError] | None = None) -> None:
        lock = threading.Lock()
        self._acquire = lock.acquire
        self._release = lock.release
        self._owner = 0
        self._broken = broken
        self.words: deque[tuple[int, str, str]] = deque()

    @property
    def mine(self) -> bool:
        """Whether the calling thread is inside."""
        return self._owner == get_ident()

    def __enter__(self) -> None:
        me = get_ident()
        if me == self._owner:
            raise RuntimeError("a node was used from inside itself (by a signal handler or a __del__): use post()")
        if me == state.thread:
            state.depth += 1  # before the lock is taken: from here on signals are only noted
        self._acquire()
        self._owner = me

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        instead: MeshError | None = None
        if error is not None and self._broken is not None and not isinstance(error, MeshError):
            instead = self._broken(error)
        main = self._owner == state.thread
        self._owner = 0
        self._release()
        if main:
            state.depth -= 1  # after the lock is given back
        if self.words:
            self._tell()
        if main and state.noted and not state.depth:
            strike()
        if instead is not None and isinstance(error, Exception):
            raise instead from error

    def _tell(self) -> None:
        while True:
            try:
                level, logger, sentence = self.words.popleft()
            except IndexError:
                return
            try:
                logging.getLogger(logger).log(level, "%s", sentence)
            except Exception:  # a filter of the program's: no fault of the node, and no reason to stop it
                traceback.print_exc(file=sys.stderr)

    def forked(self) -> None:
        """Close the gate for ever; called in the child, by nobody else."""
        # A class and not a flag, so that entering costs the parent nothing.
        self.__class__ = _ForkedGate


def told(cause: BaseException) -> str:
    """Say what struck inside: where, or what repairs it."""
    if isinstance(cause, Exception):
        return "".join(traceback.format_exception(cause)).rstrip()
    return (
        f"a signal handler of the program's own raised {cause!r} in the middle of its work; "
        "have it set an event instead, or leave SIGTERM and Ctrl-C to MeshMQ, which waits for the end of the work"
    )


class _ForkedGate(Gate):
    __slots__ = ()

    def __enter__(self) -> None:
        raise ForkedError(FORKED)
