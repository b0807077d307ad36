"""How many jobs a second a journal puts on disk, as ratios to plain SQLite in the same run."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

from meshmq.bench.table import columns
from meshmq.core.records import Keep, StoredJob
from meshmq.journal.base import Journal
from meshmq.journal.opening import open_journal
from meshmq.journal.sqlite import Sync

BODY: Final = b"x" * 100
THREADS: Final = 8

#: Returns the seconds it took, without opening and closing.
Run = Callable[[Path, Sync, int], float]


def records(size: float, rounds: int, seconds: float) -> None:
    """Print how many small jobs are on disk each second; no further round begins after so many seconds."""
    ways: dict[str, Run] = {
        "plain SQLite, one by one": _plain,
        "plain SQLite, one transaction": _plain_at_once,
        "journal, one waits for each": _journal,
        "journal, eight wait for each": _journal_by_eight,
        "journal, nobody waits": _journal_unwaited,
    }
    syncs: tuple[Sync, ...] = ("full", "normal")
    rates: dict[tuple[str, Sync], list[float]] = {(way, sync): [] for way in ways for sync in syncs}
    ended = time.monotonic() + seconds
    # Where the tests' directories are may be memory: here it is a disk that counts.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("MESHMQ_BENCH_DIR")) as directory:
        for number in range(rounds):
            if number and time.monotonic() > ended:
                break
            for sync in syncs:
                for way, run in ways.items() if number % 2 == 0 else reversed(ways.items()):
                    quick = sync == "normal" or run in (_plain_at_once, _journal_unwaited)
                    count = max(16, int((10_000 if quick else 800) * size))
                    path = Path(directory) / f"{number}-{sync}-{run.__name__}.db"
                    rates[way, sync].append(count / run(path, sync, count))
    _show(list(ways), syncs, rates, directory)


def _show(ways: list[str], syncs: tuple[Sync, ...], rates: dict[tuple[str, Sync], list[float]], place: str) -> None:
    one, whole, *_ = ways
    print(f"\nJobs of 100 bytes in a journal, in {Path(place).parent}, until they are on disk as sync= says. Medians.")
    print("Plain SQLite: one table in WAL mode, with the same synchronous.\n")
    table = [["", "sync", "jobs/s", "to one by one", "to all at once", "rounds"]]
    for sync in syncs:
        for way in ways:
            found = rates[way, sync]
            ratios = [
                median(our / their for our, their in zip(found, rates[other, sync], strict=True))
                for other in (one, whole)
            ]
            cells = (f"{median(found):,.0f}", f"{ratios[0]:.2f}", f"{ratios[1]:.3f}", f"{len(found)}")
            table.append([way, sync, *cells])
    print(columns(table))


def _connect(path: Path, sync: Sync) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {sync}")
    connection.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, queue TEXT, body BLOB)")
    return connection


def _plain(path: Path, sync: Sync, count: int) -> float:
    with closing(_connect(path, sync)) as connection:
        began = time.perf_counter()
        for _ in range(count):
            connection.execute("INSERT INTO jobs (queue, body) VALUES ('jobs', ?)", (BODY,))
        return time.perf_counter() - began


def _plain_at_once(path: Path, sync: Sync, count: int) -> float:
    with closing(_connect(path, sync)) as connection:
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(count):
            connection.execute("INSERT INTO jobs (queue, body) VALUES ('jobs', ?)", (BODY,))
        connection.execute("COMMIT")
        return time.perf_counter() - began


def _journal(path: Path, sync: Sync, count: int) -> float:
    with closing(open_journal(path, "bench", sync=sync)) as journal:
        began = time.perf_counter()
        _keep(journal, 0, count)
        return time.perf_counter() - began


def _journal_by_eight(path: Path, sync: Sync, count: int) -> float:
    with closing(open_journal(path, "bench", sync=sync)) as journal:
        threads = [threading.Thread(target=_keep, args=(journal, n, count // THREADS)) for n in range(THREADS)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began


def _journal_unwaited(path: Path, sync: Sync, count: int) -> float:
    with closing(open_journal(path, "bench", sync=sync)) as journal:
        origin, told = bytes(16), threading.Event()
        began = time.perf_counter()
        for number in range(count):
            journal.write((Keep(StoredJob(queue="jobs", origin=origin, number=number, body=BODY, pushed=1.0)),))
        journal.write((), lambda error: told.set())
        told.wait()
        return time.perf_counter() - began


def _keep(journal: Journal, who: int, count: int) -> None:
    """Keep jobs one by one, and wait for each."""
    origin, told = bytes((who,)) * 16, threading.Semaphore(0)
    for number in range(count):
        journal.write(
            (Keep(StoredJob(queue="jobs", origin=origin, number=number, body=BODY, pushed=1.0)),),
            lambda error: told.release(),
        )
        told.acquire()
