"""What holds for a journal in SQLite alone: whose file it is, and what is in it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from meshmq.errors import ConfigError, JournalError
from meshmq.journal.opening import open_journal
from meshmq.journal.sqlite import SqliteStore
from tests.journal.places import (
    LIMIT,
    Place,
)
from tests.journal.users import filled, users_own


def test_journal_is_one_nodes_at_a_time(disk: Place) -> None:
    disk.open()
    with pytest.raises(JournalError, match=rf"in use by node 'shop', process {os.getpid()}") as caught:
        disk.open()
    assert caught.value.reason == "locked"


def test_journal_of_a_killed_process_is_free_and_that_of_a_child_it_forked_too(disk: Place) -> None:
    holder = (
        "import os, signal, sys\n"
        "from meshmq.journal.opening import open_journal\n"
        "open_journal(sys.argv[1], 'shop').recover()\n"
        "if os.fork() == 0:\n"
        "    print(os.getpid(), flush=True)\n"
        "    signal.pause()\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", holder, disk.path], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            with pytest.raises(JournalError, match=f"process {parent.pid}"):
                disk.open()
            parent.kill()
            parent.wait(LIMIT)
            assert not disk.again().jobs
        finally:
            os.kill(child, 9)


def test_symbolic_link_leads_to_the_same_lock(disk: Place) -> None:
    disk.open()
    link = disk.path.with_name("link.db")
    link.symlink_to(disk.path)
    with pytest.raises(JournalError, match="in use"):
        open_journal(link, "shop")


def test_journal_belongs_to_the_node_that_made_it(disk: Place) -> None:
    filled(disk)
    before = disk.path.read_bytes()
    with pytest.raises(JournalError, match="belongs to node 'shop', and this one is 'till'") as caught:
        open_journal(disk.path, "till")
    assert caught.value.reason == "name"
    assert disk.path.read_bytes() == before


def test_journal_of_another_version_is_left_as_it_is(disk: Place) -> None:
    filled(disk)
    with users_own(disk.path) as connection:
        connection.execute("UPDATE meshmq_meta SET value = 3 WHERE name = 'format'")
    before = disk.path.read_bytes()
    with pytest.raises(JournalError, match="of format 3") as caught:
        disk.open()
    assert caught.value.reason == "version"
    assert disk.path.read_bytes() == before


def test_sync_is_what_was_asked_for(disk: Place) -> None:
    for sync, level in (("full", 2), ("normal", 1)):
        store = SqliteStore(disk.path, "shop", sync=sync)  # type: ignore[arg-type]  # a literal in a loop
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (level,)
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        store.close()
    with pytest.raises(ConfigError, match="sync='fast'"):
        open_journal(disk.path, "shop", sync="fast")  # type: ignore[arg-type]  # what a user might say


def test_users_own_database_stays_theirs(disk: Place) -> None:
    with users_own(disk.path) as connection:
        connection.execute("PRAGMA user_version = 7")
        connection.execute("PRAGMA application_id = 8")
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)")
        connection.execute("INSERT INTO orders VALUES (1, 'tea')")
        filled(disk)
        assert connection.execute("PRAGMA user_version").fetchone() == (7,)
        assert connection.execute("PRAGMA application_id").fetchone() == (8,)
        assert connection.execute("SELECT * FROM orders").fetchall() == [(1, "tea")]
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE sql NOT NULL")}
    assert all(name.startswith("meshmq_") for name in names - {"orders", "sqlite_sequence"})
    assert len(disk.again().jobs) == 5


def test_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="No such file or directory"):
        open_journal(tmp_path / "nowhere" / "orders.db", "shop")


def test_files_are_for_the_user_alone(disk: Place) -> None:
    filled(disk)
    lock = disk.path.with_name("orders.db-meshmq.lock")
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
