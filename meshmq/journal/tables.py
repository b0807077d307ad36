"""The tables of a journal in SQL, and the statements that make changes in them.

All names begin with ``meshmq_``, for the file may be the user's own database. A row with a ``fault`` could not be
read, or not be used: it stays for people to look at, and nothing else sees it.

**Few statements.** Whoever steps SQLite lets other threads compute meanwhile, and then waits up to 5 ms for his turn:
what stands next to each other goes into one statement. Beside one busy thread, 3,300 to 8,700 rows a second instead
of 500 to 1,200.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Final, NamedTuple, cast

from meshmq.core.records import Bury, Change, Claim, Done, Failed, Forget, Keep, SetAside, StoredMessage, Taken, Tell
from meshmq.journal.rows import JOB, MESSAGE, SHARED, Value, job_row, message_row

#: Of the tables and what they hold. Another number is another MeshMQ's.
FORMAT: Final = 2

STAGED: Final = """
CREATE TABLE IF NOT EXISTS meshmq_staged (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never one a second time: a late Keep would take a newer row
    queue TEXT, body BLOB, buffers BLOB, headers BLOB, fate BLOB, target TEXT, job_key TEXT, job_unique TEXT,
    pushed REAL, due REAL, fault TEXT
)"""
SCHEMA: Final = (
    "CREATE TABLE meshmq_meta (name TEXT PRIMARY KEY, value)",
    """CREATE TABLE meshmq_jobs (
        place INTEGER PRIMARY KEY,  -- the order in which they were kept
        origin BLOB, number INTEGER,
        queue TEXT, body BLOB, buffers BLOB, headers BLOB, fate BLOB, target TEXT, job_key TEXT, job_unique TEXT,
        pushed REAL, due REAL, failures INTEGER, died REAL, reason TEXT,
        taken INTEGER,  -- 1 while the node itself has it in its hands
        fault TEXT,
        UNIQUE (origin, number)
    )""",
    "CREATE TABLE meshmq_claims (queue TEXT, id TEXT, until REAL, PRIMARY KEY (queue, id)) WITHOUT ROWID",
    "CREATE INDEX meshmq_claims_until ON meshmq_claims (until)",
    """CREATE TABLE meshmq_messages (
        place INTEGER PRIMARY KEY, topic TEXT, epoch INTEGER, seq INTEGER, body BLOB, buffers BLOB, headers BLOB,
        published REAL, fault TEXT,
        UNIQUE (topic, epoch, seq)
    )""",
    "CREATE TABLE meshmq_topics (topic TEXT PRIMARY KEY, epoch INTEGER, seq INTEGER) WITHOUT ROWID",
    STAGED,
)
TABLES: Final = ("meshmq_jobs", "meshmq_claims", "meshmq_messages", "meshmq_topics", "meshmq_staged", "meshmq_meta")

READ_JOBS: Final = f"SELECT place, {', '.join(JOB)} FROM meshmq_jobs WHERE fault IS NULL ORDER BY place"
READ_MESSAGES: Final = (
    f"SELECT place, {', '.join(MESSAGE)} FROM meshmq_messages WHERE fault IS NULL ORDER BY topic, epoch, seq"
)
READ_STAGED: Final = (
    f"SELECT id, {', '.join(SHARED)} FROM meshmq_staged WHERE fault IS NULL AND id > ? ORDER BY id LIMIT ?"
)
STAGE: Final = f"INSERT INTO meshmq_staged ({', '.join(SHARED)}) VALUES ({', '.join('?' * len(SHARED))})"
FORGET_CLAIMS: Final = "DELETE FROM meshmq_claims WHERE until <= ?"

_KEEP: Final = f"INSERT OR REPLACE INTO meshmq_jobs ({', '.join(JOB)}) "
_TELL: Final = f"INSERT OR REPLACE INTO meshmq_messages ({', '.join(MESSAGE)}) "
_HEAD: Final = """
INSERT INTO meshmq_topics (topic, epoch, seq) VALUES (?, ?, ?) ON CONFLICT (topic) DO UPDATE
SET seq = CASE WHEN epoch = excluded.epoch THEN max(seq, excluded.seq) ELSE excluded.seq END, epoch = excluded.epoch
"""
_FORGET: Final = (
    "DELETE FROM meshmq_messages WHERE topic = ?1"
    " AND epoch = (SELECT epoch FROM meshmq_topics WHERE topic = ?1) AND seq < ?2",
    "DELETE FROM meshmq_messages WHERE topic = ?1 AND epoch < (SELECT epoch FROM meshmq_topics WHERE topic = ?1)",
    "DELETE FROM meshmq_messages WHERE topic = ?1 AND epoch > (SELECT epoch FROM meshmq_topics WHERE topic = ?1)",
)

#: The most rows, and the most ranges, in one statement: SQLite takes 999 values everywhere.
_ROWS: Final = 60
_RANGES: Final = 300
_HIGHEST: Final = 2**63 - 1


class Step(NamedTuple):
    """One statement; ``staged`` is the row it must find, for otherwise somebody has taken that back."""

    sql: str
    values: Sequence[Value]
    staged: int | None = None


def steps(changes: Sequence[Change]) -> Iterator[Step]:
    """Yield the statements that make these changes, in order.

    Raises:
        EncodeError: one of them holds what no row can hold.
        ConfigError: so it does.
    """
    for kind, group in groupby(changes, _kind):
        if kind is Keep:
            yield from _insert(_KEEP, [_row(cast("Keep | Bury", change)) for change in group])
        elif kind is Tell:
            yield from _tell([cast("Tell", change).message for change in group])
        elif kind is Done:
            yield from _drop([cast("Done", change) for change in group])
        else:
            for change in group:
                yield from _step(change)


def _kind(change: Change) -> type[Change]:
    """Return what a change goes together with: letters are rows as jobs are, but each staged one goes alone."""
    if isinstance(change, Bury):
        return Keep
    return SetAside if isinstance(change, Keep) and change.staged is not None else type(change)


def _row(change: Keep | Bury) -> tuple[Value, ...]:
    if isinstance(change, Keep):
        return job_row(change.job)
    return job_row(change.letter.job, change.letter.died, change.letter.reason)


def _step(change: Change) -> Iterator[Step]:
    if isinstance(change, Keep):
        yield Step("DELETE FROM meshmq_staged WHERE id = ? AND fault IS NULL", (change.staged,), change.staged)
        yield Step(f"{_KEEP}SELECT {', '.join('?' * len(JOB))} WHERE changes() = 1", job_row(change.job))
    elif isinstance(change, SetAside):
        yield Step("UPDATE meshmq_staged SET fault = ? WHERE id = ?", (change.reason, change.staged))
    elif isinstance(change, Failed):
        sql = "UPDATE meshmq_jobs SET failures = ?, due = ? WHERE origin = ? AND number = ? AND died IS NULL"
        yield Step(sql, (change.failures, change.due, change.origin, min(change.number, _HIGHEST)))
    elif isinstance(change, Taken):
        sql = "UPDATE meshmq_jobs SET taken = ? WHERE origin = ? AND number BETWEEN ? AND ? AND died IS NULL"
        yield Step(sql, (int(change.taken), change.origin, change.first, min(change.last, _HIGHEST)))
    elif isinstance(change, Claim):
        yield Step("INSERT OR REPLACE INTO meshmq_claims VALUES (?, ?, ?)", (change.queue, change.unique, change.until))
    elif isinstance(change, Forget):
        yield Step(_FORGET[0], (change.topic, min(change.below, _HIGHEST)))
        for sql in _FORGET[1:]:
            yield Step(sql, (change.topic,))


def _insert(into: str, rows: Sequence[tuple[Value, ...]]) -> Iterator[Step]:
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        yield Step(into + _values(len(some), len(some[0])), [value for row in some for value in row])


@cache
def _values(rows: int, columns: int) -> str:
    return "VALUES " + ", ".join([f"({', '.join('?' * columns)})"] * rows)


def _drop(ranges: Sequence[Done]) -> Iterator[Step]:
    for start in range(0, len(ranges), _RANGES):
        some = ranges[start : start + _RANGES]
        values = [value for done in some for value in (done.origin, done.first, min(done.last, _HIGHEST))]
        yield Step(_dropped(len(some)), values)


@cache
def _dropped(ranges: int) -> str:
    return "DELETE FROM meshmq_jobs WHERE " + " OR ".join(["(origin = ? AND number BETWEEN ? AND ?)"] * ranges)


def _tell(messages: Sequence[StoredMessage]) -> Iterator[Step]:
    yield from _insert(_TELL, [message_row(message) for message in messages])
    heads: dict[tuple[str, int], int] = {}
    for message in messages:
        key = message.topic, message.epoch
        heads[key] = max(message.seq, heads.pop(key, 0))  # the newest epoch of a topic last
    for (topic, epoch), seq in heads.items():
        yield Step(_HEAD, (topic, epoch, seq))
