"""What a journal's file holds, for people and programs that only look: also while a node has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from meshmq.core.records import Letter, Recovered, Staged, StoredJob
from meshmq.errors import DecodeError
from meshmq.journal.base import Connection
from meshmq.journal.rows import SHARED, read_job, read_message, read_staged
from meshmq.journal.sqlite import looking_into
from meshmq.journal.tables import READ_JOBS, READ_MESSAGES

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Contents:
    """All that is in a journal at one moment."""

    node: str
    kept: Recovered
    staged: Sequence[Staged]
    #: Table, row and why, of what could not be read, or not be used.
    aside: Sequence[tuple[str, int, str]]


def contents(path: Path) -> Contents:
    """Read a journal, and change nothing.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """
    with looking_into(path) as connection:
        aside: list[tuple[str, int, str]] = []
        for table, key in (("meshmq_jobs", "place"), ("meshmq_messages", "place"), ("meshmq_staged", "id")):
            aside += _all(connection, f"SELECT '{table}', {key}, fault FROM {table} WHERE fault NOT NULL")
        staged = f"SELECT id, {', '.join(SHARED)} FROM meshmq_staged WHERE fault IS NULL ORDER BY id"
        entries = list(_read(connection, "meshmq_jobs", READ_JOBS, read_job, aside))
        claims = _all(connection, "SELECT queue, id, until FROM meshmq_claims ORDER BY queue, id")
        heads = _all(connection, "SELECT topic, epoch, seq FROM meshmq_topics ORDER BY topic")
        return Contents(
            node=_all(connection, "SELECT value FROM meshmq_meta WHERE name = 'node'")[0][0],
            kept=Recovered(
                jobs=[entry for entry in entries if isinstance(entry, StoredJob)],
                letters=[entry for entry in entries if isinstance(entry, Letter)],
                claims={(queue, unique): until for queue, unique, until in claims},
                messages=list(_read(connection, "meshmq_messages", READ_MESSAGES, read_message, aside)),
                heads={topic: (epoch, seq) for topic, epoch, seq in heads},
            ),
            staged=list(_read(connection, "meshmq_staged", staged, read_staged, aside)),
            aside=aside,
        )


def _all(connection: Connection, sql: str) -> list[Any]:
    rows: list[Any] = connection.execute(sql).fetchall()
    return rows


def _read(
    connection: Connection, table: str, sql: str, read: Callable[[Sequence[Any]], _T], aside: list[Any]
) -> Iterator[_T]:
    for row in connection.execute(sql):
        try:
            yield read(row)
        except DecodeError as error:
            aside.append((table, row[0], str(error)))
