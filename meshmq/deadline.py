"""How long who waits for the handler that runs just now waits still: nested requests inherit it.

Whoever runs a handler sets it (``inherit``) in the handler's own context; every request, survey and
stream made there takes the lesser of that and its own timeout. Threads that a handler starts itself
begin without one, tasks that it starts inherit it, as context variables do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar, Token

#: By which moments are told; of a simulated node another than this process's.
_clock: ContextVar[Callable[[], float]] = ContextVar("meshmq_clock", default=time.monotonic)
#: A moment on that clock; none where nobody waits, or waits for ever.
_until: ContextVar[float | None] = ContextVar("meshmq_deadline", default=None)


def tell_by(clock: Callable[[], float]) -> None:
    """Have moments in this context be those of another clock."""
    _clock.set(clock)


def now() -> float:
    """Return the moment, by the clock that counts in this context."""
    return _clock.get()()


def inherit(left: float | None) -> Token[float | None]:
    """Have what is asked in this context from now on be over in ``left`` seconds (``None``: whenever it says)."""
    return _until.set(None if left is None else now() + left)


def disinherit(token: Token[float | None]) -> None:
    """Undo ``inherit``."""
    _until.reset(token)


def left() -> float | None:
    """Return how many seconds are left, 0 where none is; ``None`` without an end."""
    until = _until.get()
    return None if until is None else max(0.0, until - now())


def within(timeout: float | None) -> float | None:
    """Return the lesser of ``timeout`` and what is left."""
    inherited = left()
    if inherited is None:
        return timeout
    return inherited if timeout is None else min(timeout, inherited)
