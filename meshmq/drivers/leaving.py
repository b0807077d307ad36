"""Closes at interpreter exit what the program has left open, in bounded time."""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Callable
from itertools import count

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
    number = next(_numbers)
    _closers[number] = (closer, limit)

    def take_back() -> None:
        _closers.pop(number, None)

    return take_back


def _leave() -> None:
    began = time.monotonic()
    patient = True
    while _closers:
        _, (closer, limit) = _closers.popitem()
        seconds = max(0.0, began + limit - time.monotonic()) if patient else 0.0
        try:
            closer(seconds)
        except (KeyboardInterrupt, SystemExit):  # somebody does not want to wait; the others are still closed
            patient = False
        except Exception as error:
            _logger.error("closing at exit: %s", error)


atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_closers.clear)
