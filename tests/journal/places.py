"""Places where a journal is kept and found again, what is kept there, and who waits for it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from meshmq.core.records import Change, Done, Keep, Letter, Recovered, Staged, StoredJob, StoredMessage
from meshmq.errors import JournalError
from meshmq.fate import Fate
from meshmq.journal.base import Journal, OnStaged, Store
from meshmq.journal.memory import MemoryStore
from meshmq.journal.rows import staged_row
from meshmq.journal.sqlite import SqliteStore
from meshmq.journal.tables import STAGE
from meshmq.journal.writer import Writer

LIMIT: Final = 20.0
ORIGIN: Final = bytes(range(16))
FATE: Final = Fate(durable=True, max_attempts=3, backoff=(0.5, 8.0), lease=2.0, ttl=60.0, priority=7)


def job(number: int, queue: str = "orders", *, origin: bytes = ORIGIN, size: int = 10) -> StoredJob:
    body = (b"%d " % number).ljust(size, b"x")
    return StoredJob(queue=queue, origin=origin, number=number, body=body, pushed=1000.5 + number)


def full_job(number: int) -> StoredJob:
    """Return a job that has all a job can have."""
    return StoredJob(
        queue="orders.new",
        origin=ORIGIN,
        number=number,
        body=b"\x01body",
        pushed=1000.25,
        buffers=(b"one", b"", b"3" * 70_000),
        headers={"a": "b", "ü": "ß"},
        fate=FATE,
        to="shop",
        key="customer 7",
        unique="order 1",
        due=2000.125,
        failures=2,
        taken=True,
    )


def letter(number: int) -> Letter:
    return Letter(job(number), "ValueError: no", 3000.75)


def message(seq: int, topic: str = "weather", *, epoch: int = 1) -> StoredMessage:
    return StoredMessage(topic, epoch, seq, b"%d" % seq, 4000.5 + seq, (b"buffer",), {"seq": str(seq)})


def staged(number: int) -> Staged:
    return Staged(
        row=0,
        queue="orders",
        body=b"%d" % number,
        pushed=5000.5,
        headers={"n": str(number)},
        fate=FATE,
        key="key",
        due=6000.5,
    )


def keeps(first: int, last: int) -> list[Change]:
    return [Keep(job(number)) for number in range(first, last + 1)]


def numbers(recovered: Recovered) -> list[int]:
    return [kept.number for kept in recovered.jobs]


class Waiter:
    """Is told what became of changes, once."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self.answers: list[JournalError | None] = []
        self.thread: threading.Thread | None = None

    def __call__(self, error: JournalError | None) -> None:
        self.answers.append(error)
        self.thread = threading.current_thread()
        self._told.set()

    @property
    def told(self) -> bool:
        return self._told.is_set()

    def answer(self) -> JournalError | None:
        assert self._told.wait(LIMIT), "nobody was told"
        (answer,) = self.answers
        return answer


class Arrivals:
    """Collects staged jobs as they are handed on."""

    def __init__(self) -> None:
        self._some = threading.Condition()
        self.rows: list[Staged] = []

    def __call__(self, rows: Sequence[Staged]) -> None:
        with self._some:
            self.rows += rows
            self._some.notify_all()

    def wait(self, count: int) -> list[Staged]:
        with self._some:
            assert self._some.wait_for(lambda: len(self.rows) >= count, LIMIT), f"{len(self.rows)} of {count}"
            return list(self.rows)


class Gate:
    """A store that fails, or waits, as its test says; otherwise the store behind it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.name = store.name
        self.error: JournalError | None = None
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.commits: list[list[Change]] = []
        #: Is asked before each commit; what it returns is raised.
        self.refuses: Callable[[Sequence[Change]], JournalError | None] = lambda changes: self.error

    def recover(self) -> Recovered:
        return self._store.recover()

    def commit(self, changes: Sequence[Change]) -> Collection[int]:
        self.entered.set()
        assert self.open.wait(LIMIT)
        if error := self.refuses(changes):
            raise error
        self.commits.append(list(changes))
        return self._store.commit(changes)

    def has_changed(self) -> bool:
        return self._store.has_changed()

    def staged(self, most: int) -> Sequence[Staged]:
        return self._store.staged(most)

    def close(self) -> None:
        self._store.close()


class Place:
    """Somewhere that outlives its journals; closes what was opened there."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.path = directory / "orders.db"
        self._memory = MemoryStore() if kind == "memory" else None
        self._opened: list[Writer] = []

    def store(self) -> Store:
        return self._memory or SqliteStore(self.path, "shop", busy=0.2)

    def open(self, on_staged: OnStaged | None = None, store: Store | None = None) -> Writer:
        self._opened.append(Writer(store or self.store(), on_staged))
        return self._opened[-1]

    def gated(self) -> tuple[Writer, Gate]:
        gate = Gate(self.store())
        return self.open(store=gate), gate

    def stage(self, job: Staged) -> int:
        if self._memory:
            return self._memory.stage(job)
        connection = sqlite3.connect(self.path)
        with connection:
            row = connection.execute(STAGE, staged_row(job)).lastrowid
        connection.close()
        assert row is not None
        return row

    def withdraw(self, row: int) -> None:
        if self._memory:
            self._memory.withdraw(row)
            return

        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute("DELETE FROM meshmq_staged WHERE id = ?", (row,))
        connection.close()

    def again(self) -> Recovered:
        """Return what is there for a journal that is opened now, and only then."""
        journal = self.open()
        try:
            return journal.recover()
        finally:
            assert journal.close(LIMIT)

    def close(self) -> None:
        for journal in self._opened:
            assert journal.close(LIMIT)


def places(kind: str, directory: Path) -> Iterator[Place]:
    place = Place(kind, directory)
    yield place
    place.close()


def write(journal: Journal, *changes: Change) -> JournalError | None:
    """Write changes and wait until they are on disk."""
    waiter = Waiter()
    journal.write(changes, waiter)
    return waiter.answer()


def done(first: int, last: int | None = None) -> Done:
    return Done(ORIGIN, first, first if last is None else last)
