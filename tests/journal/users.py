"""What users do to the file of a journal: their own tables, and worse."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from meshmq.core.records import Bury, Claim, Tell
from tests.journal.places import LIMIT, Place, keeps, letter, message, write


@contextmanager
def users_own(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect as a program of the user's does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def filled(place: Place, count: int = 5) -> None:
    journal = place.open()
    assert (
        write(journal, *keeps(1, count), Bury(letter(count + 1)), Tell(message(1)), Claim("orders", "a", 1e11)) is None
    )
    journal.close(LIMIT)


def spoil(path: Path, where: float, size: int = 3000) -> None:
    """Overwrite a part of a file."""
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * where))
        file.write(b"\xa5" * size)
