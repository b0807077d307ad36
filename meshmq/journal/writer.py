"""A journal over a store: one thread that writes whatever has come meanwhile, in one transaction.

While a transaction is on its way to the disk the next one gathers, so that eight who wait share one wait (group
commit). ``done`` is called when the disk has it.

**When the disk takes nothing** who waits for something to be kept is told at once. What says that something is over
is never given up: it waits, condensed, and everything goes on by itself once there is room.

**Memory.** What somebody waits for is bounded by who waits, as every ``Keep`` of a node is; staged jobs come 256 at a
time. The rest, while the disk takes nothing, is bounded by what the journal holds (``condensing.py``). Published
messages that nobody waits for have no such bound: beyond 64 MiB of waiting bytes they are not taken, and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from meshmq.core.records import Bury, Change, Claim, Keep, Recovered, SetAside, Taken, Tell
from meshmq.errors import ClosedError, JournalError
from meshmq.journal.base import OnStaged, Store, Told
from meshmq.journal.condensing import condense
from meshmq.journal.handing import Handing
from meshmq.links.interrupts import start_apart
from meshmq.names import counted

#: Seconds until what could not be written is tried again.
RETRY: Final = 1.0
#: The most changes in one transaction, and about the most bytes: so that who waits for the first does not wait for
#: thousands.
GROUP: Final = 4_096
GROUP_BYTES: Final = 16 * 1024 * 1024
#: Bytes that may wait before published messages that nobody waits for are not taken any more.
WAITING_BYTES: Final = 64 * 1024 * 1024
#: Seconds between two words about a disk that takes nothing.
WORDS: Final = 30.0

_SMALL: Final = 100  # bytes of a change without a body

_log: Final = logging.getLogger("meshmq.journal")


class _Entry(NamedTuple):
    changes: Sequence[Change]
    done: Told | None


class Writer:
    """Writes changes to a store in a thread of its own; see ``base.Journal``."""

    def __init__(self, store: Store, staged: OnStaged | None = None) -> None:
        self._store = store
        self._handing = Handing(store, staged) if staged is not None else None
        self._wake = threading.Condition()
        self._entries: deque[_Entry] = deque()
        self._bytes = self._writing = 0  # of what waits, and of what is being written
        self._thread: threading.Thread | None = None
        self._fresh = self._closing = self._closed = False
        self._retry_at: float | None = None
        self._word_at = 0.0
        self._not_kept = 0
        #: Why nothing can be written just now.
        self.trouble: JournalError | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._entries)} waiting"
        return f"<Writer {self._store.name!r} {state}{', in trouble' if self.trouble else ''}>"

    def recover(self) -> Recovered:
        """Return what the store keeps, and begin to look for staged jobs.

        Raises:
            JournalError: it cannot be read.
        """
        recovered = self._store.recover()
        if self._handing is not None:
            with self._wake:
                self._start()
        return recovered

    def write(self, changes: Sequence[Change], done: Told | None = None) -> None:
        """Take changes and return at once.

        Raises:
            ClosedError: the journal is closed.
        """
        size = sum(map(_size, changes))
        with self._wake:
            if self._closing:
                raise ClosedError(f"the journal '{self._store.name}' is closed")
            if done is None and self._bytes + self._writing > WAITING_BYTES:
                taken = [change for change in changes if not isinstance(change, Tell)]
                self._not_kept += len(changes) - len(taken)
                changes, size = taken, sum(map(_size, taken))
            self._entries.append(_Entry(changes, done))
            self._bytes += size
            self._fresh = True
            self._start()
            self._wake.notify()

    def look(self) -> None:
        """Look for staged jobs at once, and often for a little while."""
        with self._wake:
            if self._handing is not None:
                self._handing.hint()
                self._wake.notify()

    def close(self, timeout: float | None = None) -> bool:
        """Write what is left and end; see ``base.Journal``."""
        with self._wake:
            self._closing = True
            self._wake.notify()
            thread = self._thread
            if thread is None and not self._closed:
                self._closed = True
                self._store.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        return self._closed

    def _start(self) -> None:
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._run, name=f"journal {self._store.name}", daemon=True)
            start_apart(self._thread)

    def _run(self) -> None:
        try:
            while group := self._next():
                entries, closing = group
                if entries:
                    self._write(entries, closing)
                    self._say_what_was_not_kept()
                if self._handing is not None and not closing:
                    try:
                        self._handing.look()
                    except JournalError as error:
                        self._say(error)
        finally:
            self._store.close()
            self._closed = True

    def _next(self) -> tuple[list[_Entry], bool] | None:
        """Wait for something to do; return what is to be written now, ``None`` at the end."""
        with self._wake:
            while not self._closing and (pause := self._pause()) > 0:
                self._wake.wait(None if pause == threading.TIMEOUT_MAX else pause)
            if self._closing and not self._entries:
                return None
            entries: list[_Entry] = []
            count = size = 0
            if self._closing or self._fresh or (self._retry_at or 0.0) <= time.monotonic():
                while self._entries and count < GROUP and size < GROUP_BYTES:
                    entry = self._entries.popleft()
                    entries.append(entry)
                    count += len(entry.changes)
                    size += sum(map(_size, entry.changes))
                self._bytes -= size
                self._writing = size
                self._fresh, self._retry_at = bool(self._entries), None
            return entries, self._closing

    def _pause(self) -> float:
        """Return how long there is nothing to do."""
        if self._fresh:
            return 0.0
        moments = [threading.TIMEOUT_MAX]
        if self._entries and self._retry_at is not None:
            moments.append(self._retry_at - time.monotonic())
        if self._handing is not None:
            moments.append(self._handing.pause())
        return min(moments)

    def _write(self, entries: Sequence[_Entry], closing: bool) -> None:
        error = self._commit(entries)
        if error is None:
            return
        if error.reason != "unusable":
            self._failed(entries, error, closing)
        elif len(entries) == 1:
            self._refuse(entries[0], error, closing)
        else:  # one of them spoils it for the others
            for index, entry in enumerate(entries):
                error = self._commit([entry])
                if error is not None and error.reason != "unusable":
                    self._failed(entries[index:], error, closing)
                    return
                if error is not None:
                    self._refuse(entry, error, closing)

    def _commit(self, entries: Sequence[_Entry]) -> JournalError | None:
        """Write all or nothing, and tell who waits that it is written."""
        changes = condense(chain.from_iterable(entry.changes for entry in entries))
        try:
            gone = self._store.commit(changes)
        except JournalError as error:
            return error
        except Exception as error:  # a store that breaks its promise must not end the thread, with all who wait
            return JournalError(f"the journal '{self._store.name}' fails: {error!r}", "failed")
        if self.trouble is not None:
            _log.warning("the journal '%s' is written again", self._store.name)
            self.trouble = None
        for entry in entries:
            taken = self._answered(entry).intersection(gone)
            self._tell(entry.done, _withdrawn(min(taken)) if taken else None)
        return None

    def _answered(self, entry: _Entry) -> set[int]:
        """Return the staged rows that an entry is about, and note that they need no other answer."""
        rows = (change.staged for change in entry.changes if isinstance(change, Keep | SetAside))
        found = {row for row in rows if row is not None}
        if self._handing is not None:
            self._handing.answered(found)
        return found

    def _failed(self, entries: Sequence[_Entry], error: JournalError, closing: bool) -> None:
        """Tell who waits; keep what is never given up for the next try, in order, before what has come since."""
        with self._wake:
            waiting = [*entries, *self._entries]
            left: list[_Entry] = []
            told: list[Told] = []
            for entry in waiting:
                rest = entry.changes
                if entry.done is not None and any(map(_can_be_given_up, rest)):
                    told.append(entry.done)
                    entry = _Entry([change for change in rest if not _can_be_given_up(change)], None)
                if left and entry.done is left[-1].done is None:
                    left[-1] = _Entry([*left[-1].changes, *entry.changes], None)
                elif entry.changes or entry.done is not None:
                    left.append(entry)
            if closing:  # it was the last try
                told += [entry.done for entry in left if entry.done is not None]
            kept = [_Entry(condense(entry.changes), entry.done) for entry in left]
            self._entries = deque(() if closing else kept)
            self._bytes = sum(_size(change) for entry in self._entries for change in entry.changes)
            self._fresh, self._retry_at = False, time.monotonic() + RETRY
        self.trouble = error
        for done in told:
            self._tell(done, error)
        if closing and left:
            count = sum(len(entry.changes) for entry in left)
            _log.error("%s; %s not written: what was done may be done again", error, counted(count, "change"))
        else:
            self._say(error)

    def _say(self, error: JournalError) -> None:
        """Say what is wrong now and then."""
        if time.monotonic() >= self._word_at:
            self._word_at = time.monotonic() + WORDS
            _log.error("%s", error)

    def _say_what_was_not_kept(self) -> None:
        with self._wake:
            self._writing = 0
            count, self._not_kept = self._not_kept, 0
        if count:
            _log.error("the journal '%s' is behind: %s not kept", self._store.name, counted(count, "published message"))

    def _refuse(self, entry: _Entry, error: JournalError, closing: bool) -> None:
        """Give up what can never be written; what came with it and is never given up is written without it."""
        if len(entry.changes) > 1:
            for change in entry.changes:
                if entry.done is None or not _can_be_given_up(change):
                    self._write([_Entry([change], None)], closing)
        elif entry.done is None:
            _log.error("%s", error)
        self._answered(entry)  # a staged row stays where it is, and is handed on again at the next start
        self._tell(entry.done, error)

    def _tell(self, done: Told | None, error: JournalError | None) -> None:
        if done is not None:
            try:
                done(error)
            except Exception:
                _log.exception("what the journal '%s' told somebody failed there", self._store.name)


def _withdrawn(row: int) -> JournalError:
    return JournalError(f"staged job {row} is no more: it was taken back before it became a job", "withdrawn")


def _can_be_given_up(change: Change) -> bool:
    """Whether a change keeps something for somebody who waits; a staged job's user has been told it is safe."""
    if isinstance(change, Taken):
        return change.taken  # a job that is done makes room: it must not wait for it
    return isinstance(change, Tell | Claim) or (isinstance(change, Keep) and change.staged is None)


def _size(change: Change) -> int:
    if isinstance(change, Keep):
        return _SMALL + len(change.job.body) + sum(map(len, change.job.buffers))
    if isinstance(change, Bury):
        return _SMALL + len(change.letter.job.body) + sum(map(len, change.letter.job.buffers))
    if isinstance(change, Tell):
        return _SMALL + len(change.message.body) + sum(map(len, change.message.buffers))
    return _SMALL
