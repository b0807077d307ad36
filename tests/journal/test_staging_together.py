"""Many stage, some change their minds, and the node takes it all: each committed push is one job, once."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing

import pytest

from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.core.records import Keep, Staged, StoredJob
from meshmq.errors import JournalError
from meshmq.journal.staging import stage
from meshmq.journal.writer import Writer
from tests.journal.places import LIMIT, ORIGIN, Place
from tests.scale import scale


class Node:
    """Makes a job of each staged row, as a node does."""

    def __init__(self, place: Place) -> None:
        self._some = threading.Condition()
        self._number = 0
        self.kept = 0
        self.errors: list[JournalError] = []
        self.journal: Writer = place.open(self.take)
        self.journal.recover()

    def take(self, rows: Sequence[Staged]) -> None:
        for row in rows:
            self._number += 1
            job = StoredJob(
                queue=row.queue, origin=ORIGIN, number=self._number, body=row.body, pushed=row.pushed, fate=row.fate
            )
            self.journal.write([Keep(job, row.row)], self.told)

    def told(self, error: JournalError | None) -> None:
        with self._some:
            if error is None:
                self.kept += 1
            else:
                self.errors.append(error)
            self._some.notify_all()

    def wait(self, count: int) -> None:
        with self._some:
            assert self._some.wait_for(lambda: self.kept + len(self.errors) >= count, LIMIT), f"{self.kept} of {count}"


@pytest.mark.timeout(300)
def test_each_push_that_was_committed_is_one_job(disk: Place) -> None:
    with closing(sqlite3.connect(disk.path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    node = Node(disk)
    each = scale(40, 1_000)

    def orders(first: int) -> None:
        seeded = random.Random(first)
        with closing(sqlite3.connect(disk.path, timeout=60)) as connection:
            for number in range(first, first + each):
                connection.execute("INSERT INTO orders VALUES (?)", (number,))
                stage(connection, "orders", number)
                if seeded.random() < 0.3:
                    connection.rollback()
                else:
                    connection.commit()

    threads = [threading.Thread(target=orders, args=(1 + thread * each,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    with closing(sqlite3.connect(disk.path)) as connection:
        ordered = [number for (number,) in connection.execute("SELECT id FROM orders ORDER BY id")]
        node.wait(len(ordered))
        assert node.journal.close(LIMIT)
        assert connection.execute("SELECT count(*) FROM meshmq_staged").fetchone() == (0,)
    pushed = [MsgpackCodec().decode(job.body) for job in disk.again().jobs]
    assert sorted(map(int, map(str, pushed))) == ordered
    assert not node.errors
