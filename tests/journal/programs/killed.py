"""Runs a known sequence of transactions again and again, is killed at another point each time, and looks what is left.

``killed.py DIRECTORY SYNC HOW FIRST STRIDE``: ``HOW`` is ``statement`` (before and after each statement of ours) or a
mode of ``power.c``, which must be preloaded. Each run, and each look, is a process of its own.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

from meshmq.core.records import Bury, Change, Claim, Failed, Forget, Keep, Recovered, SetAside, Tell
from meshmq.journal.memory import MemoryStore
from meshmq.journal.sqlite import SqliteStore
from tests.journal.places import ORIGIN, done, job, letter, message, staged

MODES = ("before", "after", "half", "power", "power in part")
KILLED = 9


#: What is kept, and the rows that are staged.
State = tuple[Recovered, list[int]]


def transactions() -> list[list[Change]]:
    """Return changes that make the file grow, shrink and be checkpointed; eight jobs are staged before."""
    made: list[list[Change]] = []
    for number in range(1, 25, 3):
        made.append([Keep(job(n, size=9_000)) for n in (number, number + 1, number + 2)])
        made.append([done(number), Failed(ORIGIN, number + 1, 1, None), Claim("orders", str(number), 1e11)])
        made.append([Bury(letter(number + 2)), Tell(message(number))])
        made.append([Forget("weather", number), done(number - 2)])
        row = 1 + number // 3
        made.append([Keep(job(500 + row), row)] if row % 3 else [SetAside(row, "said before")])
        made.append([Keep(job(600 + row), row)])  # for the second time: nothing comes of it
    return made


def stage(store: MemoryStore | SqliteStore) -> None:
    for number in range(1, 9):
        if isinstance(store, MemoryStore):
            store.stage(staged(number))
        else:
            store.stage([staged(number)])


def state(store: MemoryStore | SqliteStore) -> State:
    return store.recover(), [row.row for row in store.staged(100)]


def states() -> list[State]:
    """Return what there is after each transaction."""
    model = MemoryStore()
    stage(model)
    found = [state(model)]
    for changes in transactions():
        model.commit(changes)
        found.append(state(model))
    return found


class Deadly(sqlite3.Connection):
    """Ends the process before or after one of its statements."""

    at = -1
    count = 0

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        cls = type(self)
        if cls.count == cls.at:
            os._exit(KILLED)
        cursor = super().execute(sql, values)
        if cls.count + 1 == cls.at:
            os._exit(KILLED)
        cls.count += 2
        return cursor


def connect(path: str, **options: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite3.connect(path, factory=Deadly, **options)
    connection.execute("PRAGMA wal_autocheckpoint = 30")
    return connection


def run(directory: Path, sync: Any, how: str, point: int) -> int:
    """Run the sequence in a child that ends at ``point``; returns how it ended."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    told = os.open(directory / "told", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    if how == "statement":
        Deadly.at = point
    else:
        ctypes.CDLL(None).power_arm(point, MODES.index(how))
    store = SqliteStore(directory / "orders.db", "shop", sync=sync, connect=connect)
    stage(store)
    os.write(told, b"s")
    for changes in transactions():
        store.commit(changes)
        os.write(told, b".")
    store.close()
    os._exit(0)


def look(directory: Path, states: list[State], least: int) -> int:
    """Return in a child's exit code whether what is left is the state after one of the transactions told, or later."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        store = SqliteStore(directory / "orders.db", "shop")
        recovered = state(store)
        store.commit([Keep(job(1_000))])
        store.close()
    except BaseException as error:
        print("refused:", error, flush=True)
        os._exit(2)
    told = (directory / "told").stat().st_size - 1 if (directory / "told").exists() else -1
    if recovered[0] == MemoryStore().recover() and len(recovered[1]) <= 8 and (told < 0 or not least):
        os._exit(0)  # before all was staged
    fits = [number for number, one in enumerate(states) if one == recovered]
    if not any(number in (told, told + 1) or least <= number <= told for number in fits):
        print(f"told {told}, left {fits}", flush=True)
        os._exit(1)
    os._exit(0)


def main() -> None:
    place, sync, how, first, stride = sys.argv[1:]
    known = states()
    point, points, wrong = int(first), 0, 0
    while True:
        directory = Path(place) / str(point)
        directory.mkdir()
        ended = run(directory, sync, how, point)
        if ended not in (0, KILLED):
            print(f"the run to {point} ended with {ended}")
            wrong += 1
        # Only a loss of power may take what was told, and only where nobody asked for more.
        least = 0 if sync == "normal" and how.startswith("power") else len(known)
        wrong += look(directory, known, least) != 0
        shutil.rmtree(directory)
        points += 1
        if ended == 0:
            break
        point += int(stride)
    print(f"{points} points, the last {point}, {wrong} wrong")


if __name__ == "__main__":
    main()
