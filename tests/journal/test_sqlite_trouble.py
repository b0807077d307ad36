"""A journal whose disk is full, fails, or is locked by somebody: who waits is told, the rest goes on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from meshmq.core.records import Bury, Keep
from meshmq.errors import JournalError
from meshmq.journal.opening import open_journal
from meshmq.journal.sqlite import SqliteStore
from tests.journal.places import (
    LIMIT,
    Place,
    Waiter,
    done,
    job,
    keeps,
    letter,
    numbers,
    write,
)
from tests.journal.users import filled, users_own


def test_users_lock_is_waited_for_and_then_told(disk: Place) -> None:
    journal = disk.open()
    assert write(journal, *keeps(1, 2)) is None
    with users_own(disk.path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        waiter = Waiter()
        journal.write(keeps(3, 3), waiter)
        error = waiter.answer()
        assert error is not None
        assert error.reason == "locked"
        assert "more than 0.2 s" in str(error)
        journal.write([done(1)])
        connection.execute("COMMIT")
    assert write(journal, *keeps(4, 4)) is None
    journal.close(LIMIT)
    assert numbers(disk.again()) == [2, 4]


def test_full_file_gives_up_what_is_kept_and_goes_on_when_there_is_room(disk: Place) -> None:
    store = SqliteStore(disk.path, "shop")
    journal = disk.open(store=store)
    assert write(journal, *keeps(1, 20)) is None
    ((pages,),) = store._connection.execute("PRAGMA page_count")
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    error = write(journal, Keep(job(21, size=100_000)))
    assert error is not None
    assert error.reason == "full"
    assert f"the disk of '{disk.path}' is full: free some space" in str(error)
    journal.write([done(1, 10), Bury(letter(11))])
    store._connection.execute("PRAGMA max_page_count = 100000")
    assert write(journal, Keep(job(22, size=100_000))) is None
    journal.close(LIMIT)
    recovered = disk.again()
    assert numbers(recovered) == [*range(12, 21), 22]
    assert recovered.letters == [letter(11)]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_full_disk_loses_nothing_and_takes_more_when_there_is_room(tmp_path: Path) -> None:
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mount.stderr.strip()}")
    try:
        ballast = tmp_path / "ballast"
        ballast.write_bytes(bytes(3_000_000))
        journal = open_journal(tmp_path / "orders.db", "shop")
        kept = 0
        for size in (20_000, 10):  # to the brim
            while (error := write(journal, Keep(job(kept + 1, size=size)))) is None:
                kept += 1
            assert error.reason == "full"
        assert kept >= 5
        journal.write([done(1)])
        assert write(journal, Keep(job(500, size=20_000))) is not None
        ballast.unlink()
        assert write(journal, Keep(job(501, size=20_000))) is None
        assert journal.close(LIMIT)
        assert write(reopened := open_journal(tmp_path / "orders.db", "shop"), Keep(job(502))) is None
        assert reopened.close(LIMIT)
        last = open_journal(tmp_path / "orders.db", "shop")
        assert numbers(last.recover()) == [*range(2, kept + 1), 501, 502]
        assert last.close(LIMIT)
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_failing_disk_is_told_by_name(disk: Place) -> None:
    class Fails(sqlite3.Connection):
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
            if sql.startswith("INSERT OR REPLACE"):
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
                raise error
            return super().execute(sql, parameters)  # type: ignore[arg-type]  # it goes through as it came

    def connect(path: str, **options: object) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Fails, **options)  # type: ignore[call-overload, no-any-return]  # as given

    journal = disk.open(store=SqliteStore(disk.path, "shop", connect=connect))
    error = write(journal, *keeps(1, 1))
    assert error is not None
    assert error.reason == "failed"
    assert "disk I/O error" in str(error)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting read-only needs root")
def test_read_only_disk_is_told(disk: Place, tmp_path: Path) -> None:
    filled(disk)
    place = tmp_path / "read-only"
    place.mkdir()
    mount = subprocess.run(["mount", "--bind", tmp_path, place], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"nothing can be mounted here: {mount.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        with pytest.raises(JournalError, match="Read-only file system") as caught:
            open_journal(place / disk.path.name, "shop")
        assert caught.value.reason == "read-only"
    finally:
        subprocess.run(["umount", "-l", place], check=True)
