"""Waiting, described once for threads and tasks: what to try, on whose wake, and what to say meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from meshmq.errors import ClosedError, ForkedError, TimedOut

ResultT = TypeVar("ResultT")
AGAIN_AFTER: Final = 30.0
_logger: Final = logging.getLogger("meshmq.waiting")


@dataclass(slots=True)
class Wish(Generic[ResultT]):
    """Something a face waits for.

    ``attempt(now, since)`` is called inside the engine's gate; it returns, raises ``WouldBlock``, or
    raises what the user is to see. ``words()`` says what is waited for. ``retry`` is the longest time
    in seconds between two attempts where nobody might wake us. With ``takes=False`` the wake that
    it came true by is passed on, for what woke it is still there for the next in line.
    """

    key: Hashable
    attempt: Callable[[float, float], ResultT]
    words: Callable[[], str]
    retry: float | None = None
    level: int = logging.WARNING
    takes: bool = True


def ends_quietly(error: ClosedError | TimedOut) -> bool:
    """Whether a loop ends by it without a word: not where the node broke, or is the parent process's."""
    return not isinstance(error, ForkedError) and error.__cause__ is None


class Patience:
    """How long one call has waited, when to look again, and when to say a word."""

    def __init__(self, wish: Wish[ResultT], timeout: float | None, first_word: float, now: float) -> None:
        self._wish = wish
        self._timeout = timeout
        self.since = now
        self._limit = None if timeout is None else now + timeout
        self._word_at = now + first_word

    def span(self, now: float) -> float:
        """Return how long to sleep at most; speaks where it is time to.

        Raises:
            TimedOut: the time is over.
        """
        if self._limit is not None and now >= self._limit:
            raise TimedOut(f"nothing within {self._timeout:g} s: waited for {self._wish.words()}")
        if now >= self._word_at:
            self._word_at = now + AGAIN_AFTER
            _logger.log(self._wish.level, "waiting for %.0f s: %s", now - self.since, self._wish.words())
        moments = [self._word_at]
        if self._limit is not None:
            moments.append(self._limit)
        if self._wish.retry is not None:
            moments.append(now + self._wish.retry)
        return max(0.0, min(moments) - now)
