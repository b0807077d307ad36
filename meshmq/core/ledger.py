"""A ledger: what a node's journal is to be told, in order, and who waits until it is on disk.

Whoever changes something durable enters it here; the participant hands all of it to the journal when it has done its
work, and learns later, from whatever thread the journal has, how the entries that somebody waits for came out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from meshmq.core.records import Change, Done, Keep

#: What is called when changes are on disk (``None``) or could not be written (why); and when that is.
Told = Callable[[Exception | None, float], None]


class Store(Protocol):
    """A journal, as a participant sees it: it never waits, and tells later."""

    def __call__(self, changes: Sequence[Change], told: Told | None) -> None: ...


class Ledger:
    """Changes that the journal was not given yet."""

    def __init__(self, store: Store, after: Callable[[float], None]) -> None:
        #: ``after`` is called when all who waited for something were told.
        self._store, self._after = store, after
        self._changes: list[Change] = []
        self._waited: list[Told] = []
        self._full: list[tuple[list[Change], list[Told]]] = []

    def enter(self, change: Change, told: Told | None = None) -> None:
        """Have something written; ``told`` is called when it is on disk, or cannot be.

        What is made of a staged row is written apart, for whether that is still there is told of it alone.
        """
        apart = isinstance(change, Keep) and change.staged is not None
        if apart:
            self._end_group()
        if told is not None:
            self._waited.append(told)
        last = self._changes[-1] if self._changes else None
        # A quick consumer's acks come one by one, and are one line of the ledger.
        if isinstance(change, Done) and isinstance(last, Done) and _follows(last, change):
            self._changes[-1] = Done(last.origin, last.first, change.last)
        else:
            self._changes.append(change)
        if apart:
            self._end_group()

    def _end_group(self) -> None:
        if self._changes:
            self._full.append((self._changes, self._waited))
            self._changes, self._waited = [], []

    def hand_over(self) -> None:
        """Give the journal what was entered."""
        self._end_group()
        full, self._full = self._full, []
        for changes, waited in full:
            self._hand_over(changes, waited)

    def _hand_over(self, changes: list[Change], waited: list[Told]) -> None:
        def told(error: Exception | None, now: float) -> None:
            for one in waited:
                one(error, now)
            self._after(now)

        self._store(changes, told if waited else None)


def _follows(last: Done, change: Done) -> bool:
    return (last.origin, last.last + 1) == (change.origin, change.first)
