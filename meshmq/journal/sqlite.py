"""A store in an SQLite file, which may be the user's own database: the only importer of sqlite3.

The file is in WAL mode; beyond that nothing changes for who else uses it. ``sync="full"``: what is committed outlives
a loss of power; ``"normal"``: it outlives the process, and a loss of power takes the last commits at most.

Damage is looked for at each start, in our tables and their indices alone (``PRAGMA quick_check``): 25 ms for 100,000
small jobs, of the second that it takes to read them; what there is of the user's own is not looked at.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from meshmq.core.records import Change, Claim, Letter, Recovered, Staged, StoredJob
from meshmq.errors import ConfigError, DecodeError, EncodeError, JournalError
from meshmq.journal.base import Connection
from meshmq.journal.damage import set_aside
from meshmq.journal.locking import Lock
from meshmq.journal.rows import read_job, read_message, read_staged, staged_row
from meshmq.journal.tables import (
    FORGET_CLAIMS,
    FORMAT,
    READ_JOBS,
    READ_MESSAGES,
    READ_STAGED,
    SCHEMA,
    STAGE,
    STAGED,
    TABLES,
    steps,
)
from meshmq.journal.trouble import check_format, check_owner, translated, trouble

Sync = Literal["full", "normal"]
#: Opens a connection as sqlite3.connect does.
Connect = Callable[..., sqlite3.Connection]

#: Seconds to wait for another connection that has the file locked.
BUSY: Final = 5.0
#: Seconds between two looks for claims that are over.
_CLAIMS: Final = 60.0

_T = TypeVar("_T")
_log: Final = logging.getLogger("meshmq.journal")


class SqliteStore:
    """Keeps a node's things in one file, which it holds locked from the start.

    Raises:
        JournalError: the file is in use, read-only, damaged, another node's, or of another version.
    """

    def __init__(
        self,
        path: Path,
        node: str,
        *,
        sync: Sync = "full",
        busy: float = BUSY,
        clock: Callable[[], float] = time.time,
        connect: Connect = sqlite3.connect,
    ) -> None:
        self._path = path.resolve()
        self.name = str(self._path)
        self._node, self._busy, self._clock = node, busy, clock
        self._seen_version = self._last_row = 0
        self._claims_looked = -_CLAIMS
        self._lock = Lock(self._path, node)
        self._alone = self._lock.was_alone or not self._path.exists()
        try:
            self._connection = self._connect(connect)
        except sqlite3.Error as error:
            self._lock.release()
            raise self._translated(error) from error
        try:
            with self._reading():
                self._prepare(sync)
        except BaseException:
            self.close()
            raise

    def recover(self) -> Recovered:
        """Return what is kept; rows that cannot be read are set aside.

        Raises:
            JournalError: the file is damaged, and was moved aside where it held the journal alone.
        """
        with self._reading():
            self._check_pages()
            select = self._connection.execute
            entries = list(self._usable("meshmq_jobs", "place", select(READ_JOBS), read_job))
            messages = list(self._usable("meshmq_messages", "place", select(READ_MESSAGES), read_message))
            claims = select("SELECT queue, id, until FROM meshmq_claims WHERE until > ?", (self._clock(),))
            heads = select("SELECT topic, epoch, seq FROM meshmq_topics")
            return Recovered(
                jobs=[entry for entry in entries if isinstance(entry, StoredJob)],
                letters=[entry for entry in entries if isinstance(entry, Letter)],
                claims={(queue, unique): until for queue, unique, until in claims},
                messages=messages,
                heads={topic: (epoch, seq) for topic, epoch, seq in heads},
            )

    def commit(self, changes: Sequence[Change]) -> Collection[int]:
        """Make all changes in one transaction.

        Raises:
            JournalError: none is made.
        """
        try:
            made = list(steps(changes))
        except (EncodeError, ConfigError, TypeError, ValueError) as error:
            raise trouble("unusable", self._path, str(error)) from error
        now = self._clock()
        purge = now - self._claims_looked >= _CLAIMS or any(isinstance(c, Claim) and c.until <= now for c in changes)
        gone = set()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for sql, values, staged in made:
                cursor = self._connection.execute(sql, values)
                if staged is not None and not cursor.rowcount:
                    gone.add(staged)
            if purge:
                self._connection.execute(FORGET_CLAIMS, (now,))
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OverflowError) as error:
            self._roll_back()
            raise self._translated(error) from error
        except BaseException:
            self._roll_back()
            raise
        if purge:
            self._claims_looked = now
        return gone

    def has_changed(self) -> bool:
        """Whether another connection has written to the file."""
        try:
            ((version,),) = self._connection.execute("PRAGMA data_version")
        except sqlite3.Error:
            return False  # the next look tells
        before, self._seen_version = self._seen_version, int(version)
        return before != self._seen_version

    def staged(self, most: int) -> Sequence[Staged]:
        """Return staged jobs that were not returned before; what cannot be used is set aside.

        Raises:
            JournalError: the file cannot be read.
        """
        found: list[Staged] = []
        try:
            while not found:
                rows = self._connection.execute(READ_STAGED, (self._last_row, most)).fetchall()
                if not rows:
                    break
                found = list(self._usable("meshmq_staged", "id", rows, read_staged))
                self._last_row = rows[-1][0]
        except sqlite3.Error as error:
            raise self._translated(error) from error
        return found

    def stage(self, jobs: Sequence[Staged]) -> None:
        """Leave jobs as a user's own transaction does.

        Raises:
            JournalError: none is left.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._connection.execute(STAGE, staged_row(job))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise self._translated(error) from error

    def close(self) -> None:
        """Close the connection and give the file back."""
        try:
            with suppress(sqlite3.Error):
                self._connection.close()
        finally:
            self._lock.release()

    def _connect(self, connect: Connect) -> sqlite3.Connection:
        uri = f"{self._path.as_uri()}?mode=rwc"
        connection = connect(uri, uri=True, timeout=self._busy, isolation_level=None, check_same_thread=False)
        connection.text_factory = _text
        return connection

    def _prepare(self, sync: Sync) -> None:
        """See whether the file is ours, before anything in it is touched; make what is missing."""
        select = self._connection.execute
        select("PRAGMA trusted_schema = OFF")
        tables = {name for (name,) in select("SELECT name FROM sqlite_master WHERE type = 'table'")}
        self._alone = tables <= {*TABLES, "sqlite_sequence"}
        if "meshmq_meta" in tables:
            meta = dict(select("SELECT name, value FROM meshmq_meta").fetchall())
            check_format(self._path, meta)
            check_owner(self._path, meta, self._node)
        ((mode,),) = select("PRAGMA journal_mode = WAL")
        if mode != "wal":
            why = f"it cannot be in WAL mode, but in {mode}: is it on a network's disk?"
            raise trouble("failed", self._path, why)
        select(f"PRAGMA synchronous = {'FULL' if sync == 'full' else 'NORMAL'}")
        if "meshmq_meta" not in tables:
            select("BEGIN IMMEDIATE")
            for sql in SCHEMA:
                select(sql)
            for row in (("format", FORMAT), ("node", self._node)):
                select("INSERT INTO meshmq_meta VALUES (?, ?)", row)
            select("COMMIT")
        elif "meshmq_staged" not in tables:
            select(STAGED)
        self._lock.note(alone=self._alone)

    def _check_pages(self) -> None:
        for table in TABLES:
            ((found,), *_) = self._connection.execute(f"PRAGMA quick_check({table})")
            if found != "ok":
                error = sqlite3.DatabaseError(f"{table}: {found}".replace("\n", ", "))
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error

    def _usable(self, table: str, key: str, rows: Any, read: Callable[[Sequence[Any]], _T]) -> Iterator[_T]:
        """Yield what can be read of rows; set the others aside, when all are read."""
        faults = []
        for row in rows:
            try:
                yield read(row)
            except DecodeError as error:
                faults.append((str(error), row[0]))
        for fault, place in faults:
            _log.warning("row %d of %s in '%s' is set aside: %s", place, table, self._path, fault)
            with suppress(sqlite3.Error):  # it is found again the next time
                self._connection.execute(f"UPDATE {table} SET fault = ? WHERE {key} = ?", (fault, place))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Translate what SQLite raises at the start; a damaged file is moved aside."""
        try:
            yield
        except sqlite3.Error as error:
            told = self._translated(error)
            if told.reason != "damaged":
                raise told from error
            told = set_aside(self._path, str(error), alone=self._alone)
            self.close()  # after the move: SQLite writes nothing more to a file that is not where it was
            raise told from error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # a full disk may have ended it already
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _translated(self, error: Exception) -> JournalError:
        return translated(error, self._path, self._busy)


@contextmanager
def looking_into(path: Path) -> Iterator[Connection]:
    """Give a connection that changes nothing, beside the node that may have the journal, and see that it is one.

    Raises:
        JournalError: there is no journal in the file, or it is of another version, or damaged.
    """
    path = path.resolve()
    if not path.is_file():
        raise JournalError(f"there is no file '{path}'", "failed")
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY, isolation_level=None)
        with closing(connection):
            connection.text_factory = _text
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meshmq_meta'").fetchone():
                raise JournalError(f"there is no journal in '{path}': no node has had it as journal=", "failed")
            check_format(path, dict(connection.execute("SELECT name, value FROM meshmq_meta").fetchall()))
            connection.execute("BEGIN")  # all that is read is of one moment
            yield connection
    except sqlite3.Error as error:
        told = translated(error, path, BUSY)
        if told.reason == "damaged":
            told = JournalError(f"'{path}' is no journal, or a damaged one ({error})", "damaged")
        raise told from error


def _text(raw: bytes) -> str:
    """What is no UTF-8 in one row must not end the reading of all."""
    return raw.decode("utf-8", "surrogateescape")
