"""SIGKILL under load, and a -wal cut off anywhere: everything that was told is there, and nothing is half there."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshmq.journal.sqlite import SqliteStore
from tests.architecture import ROOT
from tests.journal.places import Place, numbers
from tests.journal.programs.killed import stage, state, states, transactions
from tests.network.conftest import Start, start
from tests.scale import scale

__all__ = ["start"]

PROGRAM = ROOT / "tests" / "journal" / "programs" / "loaded.py"


@pytest.mark.timeout(300)
def test_killed_under_load_it_has_what_was_told(disk: Place, start: Start) -> None:
    seeded = random.Random(5)
    kept: set[int] = set()
    doubtful: set[int] = set()
    gone: set[int] = set()
    for round_number in range(scale(2, 100)):
        command = [sys.executable, str(PROGRAM), str(disk.path), str(1 + round_number * 400_000)]
        child = start(command, env={"PYTHONPATH": str(ROOT)})
        lines = [child.line() for _ in range(seeded.randrange(1, 2_000))]
        child.kill()
        lines += child.rest()
        told = [(word, int(number)) for word, number in map(str.split, lines)]
        kept |= {number for word, number in told if word == "kept"}
        doubtful |= {number for word, number in told if word == "going"}
        gone |= {number for word, number in told if word == "gone"}
        found = set(numbers(disk.again()))
        assert kept - doubtful <= found, f"round {round_number}: {sorted(kept - doubtful - found)[:5]} are lost"
        assert not found & gone, f"round {round_number}: {sorted(found & gone)[:5]} are back"
        # Of each of the four threads at most one that nobody was told of.
        assert len(found - kept) <= 4 * (round_number + 1)


def lengths(size: int, ends: list[int]) -> Iterator[int]:
    """Yield lengths to cut at: around the end of each commit, and anywhere."""
    seeded = random.Random(7)
    for end in seeded.sample(ends, scale(5, len(ends))):
        yield from (end - 1, end, end + 1, end + 24)
    yield from (0, 31, 32, 33, size)
    yield from (seeded.randrange(size) for _ in range(scale(20, 1_000)))


@pytest.mark.timeout(300)
def test_wal_that_is_cut_off_anywhere_gives_what_once_was(disk: Place, tmp_path: Path) -> None:
    store = SqliteStore(disk.path, "shop")
    store._connection.execute("PRAGMA wal_autocheckpoint = 0")
    wal = disk.path.with_name("orders.db-wal")
    stage(store)
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ends = []
    for changes in transactions():
        store.commit(changes)
        ends.append(wal.stat().st_size)
    whole, written = disk.path.read_bytes(), wal.read_bytes()
    store.close()
    seeded = random.Random(9)
    cut = Place("sqlite", tmp_path / "cut")
    cut.path.parent.mkdir()
    known = states()
    for length in lengths(len(written), ends):
        garbage = seeded.randbytes(seeded.choice((0, 0, 1, 5_000)))
        cut.path.write_bytes(whole)
        cut.path.with_name("orders.db-wal").write_bytes(written[:length] + garbage)
        reopened = SqliteStore(cut.path, "shop")
        assert state(reopened) == known[sum(end <= length for end in ends)], f"cut at {length}"
        reopened.close()
