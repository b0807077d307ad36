"""What a journal is to a node, and what a store is to a journal.

A **journal** takes changes at any time and never lets the caller wait; a thread of its own writes them, many at once
(``writer.py``). A **store** is where they go: it is entered by one thread at a time and may wait for a disk. Another
kind of store is one file beside ``memory.py`` and ``sqlite.py``, and a row in the contract test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from meshmq.core.records import Change, Recovered, Staged
from meshmq.errors import JournalError

#: Is told, in the journal's own thread, that changes are on disk, or why those that were to be kept are not.
Told = Callable[[JournalError | None], object]
#: Is given, in the journal's own thread, jobs that users' own transactions have left in the journal's file.
OnStaged = Callable[[Sequence[Staged]], object]


class Journal(Protocol):
    """Keeps what must outlive the process."""

    #: Why nothing can be written just now.
    trouble: JournalError | None

    def recover(self) -> Recovered:
        """Return what is kept; once, before the first change, for it waits for the disk.

        Raises:
            JournalError: it cannot be read.
        """

    def write(self, changes: Sequence[Change], done: Told | None = None) -> None:
        """Take changes, in order, and return at once; any thread may call it.

        ``done`` is called once, from the journal's thread: with ``None`` when all of them are on disk, or with an
        error where that fails. Then what was to be kept (``Keep``, ``Tell``, ``Claim``), or is ``Taken``, is given up.
        Everything else, and what nobody waits for, stays queued in order and is tried again: each second, and with the
        next write.
        A job made of a staged row is written by a call of its own, whose ``done`` says whether the row was still there.

        Raises:
            ClosedError: the journal is closed.
        """

    def look(self) -> None:
        """Look for staged jobs at once, and often for a little while; any thread may call it."""

    def close(self, timeout: float | None = None) -> bool:
        """Write what is left, tell whoever waits, and let the store go; returns whether that was done in time.

        At ``timeout=0`` nothing is waited for: the thread ends by itself. ``None`` waits until it has ended.
        """


class Store(Protocol):
    """Where a journal keeps things; one thread at a time."""

    name: str

    def recover(self) -> Recovered:
        """Return what is kept, in the order in which it was.

        Raises:
            JournalError: it cannot be read.
        """

    def commit(self, changes: Sequence[Change]) -> Collection[int]:
        """Make all changes or none; returns the staged rows that were to become jobs, and are gone.

        Raises:
            JournalError: none is made; ``reason`` is ``unusable`` where one of them can never be.
        """

    def has_changed(self) -> bool:
        """Whether somebody else has written to it since the last call."""

    def staged(self, most: int) -> Sequence[Staged]:
        """Return up to so many staged jobs that were not returned before, the oldest first.

        Raises:
            JournalError: they cannot be read.
        """

    def close(self) -> None:
        """Let it go."""


class Connection(Protocol):
    """What of a connection to SQLite is needed: an ``sqlite3.Connection``, or what is like it."""

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Execute one statement."""
