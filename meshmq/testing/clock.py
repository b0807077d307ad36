"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading
from collections.abc import Callable


class HandClock:
    """A monotonic clock in the test's hand: ``clock()`` is the moment, ``advance`` moves it.

    An engine that sleeps until a deadline computes its sleep from this clock, so whoever moves the
    clock must wake it: ``listen(engine.wake)``. Safe from any thread.
    """

    def __init__(self, start: float = 1000.0) -> None:
        self._moment = start
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def __call__(self) -> float:
        return self._moment

    def __repr__(self) -> str:
        return f"<HandClock at {self._moment:.3f} s>"

    def now(self) -> float:
        """Return the moment, in seconds; the same as calling the clock."""
        return self._moment

    def advance(self, seconds: float) -> float:
        """Move on by ``seconds``, tell every listener, and return the new moment.

        Raises:
            ValueError: ``seconds`` is negative; a monotonic clock never goes back.
        """
        if not seconds >= 0:
            raise ValueError(f"a clock only moves forward, not by {seconds!r} s")
        with self._lock:
            self._moment = moment = self._moment + seconds
            listeners = tuple(self._listeners)
        # Outside the lock: a listener may read the clock, listen or forget.
        for listener in listeners:
            listener()
        return moment

    def advance_to(self, moment: float) -> float:
        """Move on to ``moment`` if it is still to come, and return where the clock then stands."""
        return self.advance(max(0.0, moment - self._moment))

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every move, in the thread that moves the clock."""
        with self._lock:
            self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Stop calling ``listener``; an unknown one is ignored."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
