"""A journal whose file is damaged is kept aside; what may be more than a journal is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshmq.errors import JournalError
from tests.journal.places import (
    Place,
)
from tests.journal.users import filled, spoil, users_own


@pytest.mark.parametrize("where", [0.0, 0.02, 0.5])
def test_damaged_journal_is_moved_aside_and_told_and_the_next_begins_empty(disk: Place, where: float) -> None:
    filled(disk, 2_000)
    spoil(disk.path, where, 40_000)
    damaged = disk.path.read_bytes()
    with pytest.raises(JournalError, match=r"damaged .* was moved to '.*damaged-\d{8}T\d{6}'") as caught:
        disk.open().recover()
    assert caught.value.reason == "damaged"
    (aside,) = [path for path in disk.path.parent.glob("orders.db.damaged-*") if not path.name.endswith("-wal")]
    assert aside.read_bytes() == damaged
    assert not disk.again().jobs


def test_damaged_journal_takes_its_wal_along(disk: Place, tmp_path: Path) -> None:
    filled(disk, 2_000)
    spoil(disk.path, 0.5, 40_000)
    with users_own(disk.path) as connection:
        connection.execute("INSERT INTO meshmq_topics VALUES ('a', 1, 1)")
        copies = {ending: disk.path.with_name(disk.path.name + ending).read_bytes() for ending in ("", "-wal")}
    for ending, content in copies.items():
        disk.path.with_name(disk.path.name + ending).write_bytes(content)
    with pytest.raises(JournalError, match="with its -wal"):
        disk.open().recover()
    aside = sorted(path.name[len("orders.db.damaged-") + 15 :] for path in tmp_path.glob("orders.db.damaged-*"))
    assert aside == ["", "-wal"]


def test_what_may_be_the_users_own_is_not_moved(disk: Place) -> None:
    disk.path.write_text("notes of mine, not a database at all, but long enough to be taken for one" * 50)
    before = disk.path.read_bytes()
    with pytest.raises(JournalError, match="left as it is") as caught:
        disk.open()
    assert caught.value.reason == "damaged"
    assert disk.path.read_bytes() == before


def test_damaged_database_of_the_users_is_not_moved(disk: Place) -> None:
    with users_own(disk.path) as connection:
        connection.execute("CREATE TABLE mine (id INTEGER PRIMARY KEY)")
    filled(disk, 2_000)
    spoil(disk.path, 0.5, 40_000)
    with pytest.raises(JournalError, match="left as it is"):
        disk.open().recover()
    spoil(disk.path, 0.0)
    with pytest.raises(JournalError, match="left as it is"):
        disk.open()
    assert not list(disk.path.parent.glob("*damaged*"))


def test_damaged_index_is_found_at_the_start(disk: Place) -> None:
    filled(disk, 2_000)
    with users_own(disk.path) as connection:
        ((size,),) = connection.execute("PRAGMA page_size")
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name LIKE '%autoindex_meshmq_jobs%'")
    with disk.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))
    with pytest.raises(JournalError, match="is damaged"):
        disk.open().recover()
