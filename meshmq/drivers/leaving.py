"""Closes at interpreter exit what the program has left open, in bounded time.

ZeroMQ sends from a thread of its own, which ends with the process: so the exit also waits, for a
moment, until what was sent last is on its way; else every goodbye would be a race against the end.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from itertools import count

from meshmq.drivers.keeper import keeper
from meshmq.links import context
from meshmq.links.authenticator import current
from meshmq.links.interrupts import shield, start_apart, state

#: Seconds that what was sent last, on links that are closed already, may take to leave.
_LINGER = 0.5

#: Closes one node; is given the seconds it may take.
Closer = Callable[[float], object]

_logger = logging.getLogger("meshmq.exit")
_numbers = count()
_closers: dict[int, tuple[Closer, float]] = {}


def at_exit(closer: Closer, limit: float) -> Callable[[], None]:
    """Have ``closer`` called when the interpreter exits, and return what takes that back.

    All limits count from the same moment, so leaving takes as long as the longest and not as their
    sum: while one node is closed the keeper, which still runs then, drains the others. ``closer`` is
    called in the main thread, the youngest first, and is kept alive until then. In a forked child
    nothing of the parent's is called.
    """
    _ask_multiprocessing()
    number = next(_numbers)
    _closers[number] = (closer, limit)

    def take_back() -> None:
        _closers.pop(number, None)

    return take_back


def _leave() -> None:
    global _left
    if _left:
        return
    began = time.monotonic()
    patient = True
    state.holders.add(b"exit")  # what a signal strikes at the end is still ours to leave
    while _closers:  # again, for a signal may strike between the two halves of the next line, and skip what is in it
        with contextlib.suppress(KeyboardInterrupt, SystemExit), shield:  # else they strike only where a closer waits
            while _closers:
                _, (closer, limit) = _closers.popitem()
                seconds = max(0.0, began + limit - time.monotonic()) if patient else 0.0
                try:
                    closer(seconds)
                except (KeyboardInterrupt, SystemExit):  # somebody does not want to wait; the others are still closed
                    patient = False
                except Exception as error:
                    _logger.error("closing at exit: %s", error)
    _send_the_last()
    _left = True


def _send_the_last() -> None:
    guard = current()
    if guard is not None:
        keeper().detach_service(guard)
        guard.close()
    # In a thread, for nothing may hold up an exit for ever: not a socket that somebody forgot to close.
    last = threading.Thread(target=context.destroy, args=(int(1000 * _LINGER),), name="meshmq-exit", daemon=True)
    with contextlib.suppress(RuntimeError, KeyboardInterrupt):  # too late for threads; no patience
        start_apart(last)
        last.join(2 * _LINGER)


def _ask_multiprocessing() -> None:
    """Have a child of multiprocessing call us at its end: it ends without atexit."""
    global _asked
    if "multiprocessing.process" not in sys.modules or _asked:
        return
    from multiprocessing import process, util

    if process.parent_process() is not None:
        _asked = True
        util.Finalize(None, _leave, exitpriority=10)


def _after_fork() -> None:
    global _asked, _left
    _asked = _left = False
    _closers.clear()


_asked = _left = False
for _ in range(2):  # a signal may strike before the first line of the first; Python then goes on to the next
    atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
