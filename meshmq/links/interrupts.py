"""Notes Ctrl-C and SIGTERM while the main thread is where an exception may not strike.

The exception of a signal handler falls between any two bytecodes of the main thread. Between two
frames of one message it glues the next message on; between taking a lock and the block that gives
it back it leaves the lock taken for ever. So the main thread counts how deep it is in such places:
the count is raised *before* the lock is taken and lowered *after* it is given back, by the main
thread only, and while it is not zero our handlers only note the signal. Whoever lowers the count
to zero raises what was noted. There is no moment in between.

Where Python itself can raise nothing (in a ``__del__``, at the end of the interpreter) it tells the
exception to ``sys.unraisablehook`` and goes on. A SIGTERM that ends there is noted as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from threading import get_ident
from types import FrameType, TracebackType

#: What a shell reports for a process that SIGTERM ended.
_TERMINATED = 128 + signal.SIGTERM
#: What a thread does itself; blocked, it would end the process without a word.
_FAULTS = {
    getattr(signal, name) for name in ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV") if hasattr(signal, name)
}


class _State:
    """Where the main thread is; written by the main thread only (its signal handlers among it)."""

    __slots__ = ("depth", "holders", "noted", "sleeper", "terminated", "thread", "unraisable")

    def __init__(self) -> None:
        self.thread = threading.main_thread().ident or 0
        self.depth = 0
        self.noted = 0
        #: Wakes the main thread where it sleeps while signals are only noted: what a handler may call.
        self.sleeper: Callable[[], object] | None = None
        self.terminated = False
        #: For whom our handlers are there; with the last they go.
        self.holders: set[bytes] = set()
        #: The hook that ours stands before.
        self.unraisable: Callable[[sys.UnraisableHookArgs], object] | None = None


state = _State()


def install_signals(holder: bytes = b"for good") -> None:
    """Let Ctrl-C and SIGTERM strike only where they do no harm.

    Replaces ``signal.default_int_handler`` and the default action of SIGTERM, and only those: a
    handler of the program's own (or of ``asyncio.run``) stays. SIGTERM then raises
    ``SystemExit(143)``, so that ``with`` blocks are left in order; the second one ends the process
    at once. One that Python swallows, in a ``__del__``, is raised when the main thread next leaves a
    node. Does nothing outside the main thread; may be called as often as one likes.
    ``release_signals(holder)`` takes it back.
    """
    state.holders.add(holder)
    if get_ident() != state.thread:
        return
    with contextlib.suppress(ValueError):  # a sub-interpreter has a main thread, but no signals
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, interrupt)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and not state.terminated:
            signal.signal(signal.SIGTERM, _terminate)
            if state.unraisable is None:
                state.unraisable, sys.unraisablehook = sys.unraisablehook, _swallowed


def start_apart(thread: threading.Thread) -> None:
    """Start a thread of ours that no signal strikes.

    The kernel gives a signal to any thread that does not block it. In another than the main thread
    Python only notes it, and a main thread that sleeps on a lock sleeps on: Ctrl-C and SIGTERM do
    nothing. What a thread blocks it inherits, so there is no moment in between.
    """
    if not hasattr(signal, "pthread_sigmask"):
        thread.start()
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _FAULTS)
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def release_signals(holder: bytes) -> None:
    """Put back what was there, if ``holder`` was the last: in the main thread, for no other can."""
    state.holders.discard(holder)
    if not state.holders:
        restore_signals()


def is_signal(error: BaseException) -> bool:
    """Whether it is what Ctrl-C and SIGTERM raise."""
    return isinstance(error, KeyboardInterrupt) or (isinstance(error, SystemExit) and error.code == _TERMINATED)


def restore_signals() -> None:
    """Put back what ``install_signals`` has replaced."""
    if get_ident() != state.thread:
        return
    with contextlib.suppress(ValueError):
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGTERM) is _terminate:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if state.unraisable is not None and sys.unraisablehook is _swallowed:
        sys.unraisablehook = state.unraisable
        state.unraisable = None


def strike() -> None:
    """Raise what was noted, if anything was.

    Raises:
        KeyboardInterrupt: Ctrl-C was noted.
        SystemExit: SIGTERM was noted.
    """
    noted, state.noted = state.noted, 0
    if noted == signal.SIGTERM:
        raise SystemExit(_TERMINATED)
    if noted:
        raise KeyboardInterrupt


class Shield:
    """Inside ``with shield:`` the main thread only notes signals; leaving raises what was noted.

    For what must be done whole and is short. Other threads pass through: no signal strikes them.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        if get_ident() == state.thread:
            state.depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if get_ident() == state.thread:
            state.depth -= 1
            if state.noted and not state.depth:
                strike()


shield = Shield()


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Raise ``KeyboardInterrupt``, or note it; our handler of SIGINT."""
    if state.depth:
        _note(signum)
    else:
        state.noted = 0
        raise KeyboardInterrupt


def _terminate(signum: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    state.terminated = True
    if state.depth:
        _note(signum)
    else:
        state.noted = 0
        raise SystemExit(_TERMINATED)


def _swallowed(unraisable: sys.UnraisableHookArgs) -> None:
    error = unraisable.exc_value
    if state.terminated and isinstance(error, SystemExit) and error.code == _TERMINATED:
        state.noted = signal.SIGTERM
    elif state.unraisable is not None:
        state.unraisable(unraisable)


def _note(signum: int) -> None:
    # A Ctrl-C after a SIGTERM does not make the exit code forget it.
    if state.noted != signal.SIGTERM:
        state.noted = signum
    sleeper = state.sleeper
    if sleeper is not None:
        with contextlib.suppress(RuntimeError):  # it was woken in the same moment
            sleeper()


def _after_fork() -> None:
    """Make the only thread of a forked child its main thread, with the signals of a fresh process."""
    if state.thread != get_ident():
        state.thread = get_ident()
        state.depth = 0
    state.noted = 0
    state.sleeper = None
    state.terminated = False
    state.holders.clear()
    restore_signals()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
