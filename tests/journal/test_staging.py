"""A push in a user's own transaction is there if and only if that is: from any process, with any of its options."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.core.records import Keep, Staged, StoredJob
from meshmq.errors import ConfigError, EncodeError, NameInvalid
from meshmq.fate import Fate
from meshmq.journal.staging import stage
from tests.journal.places import LIMIT, ORIGIN, Arrivals, Place, numbers, write

WRONG: Any = {"a": 1}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Give a user's own database, which is no journal yet."""
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)")
        connection.commit()
        yield connection


def found(disk: Place, count: int) -> list[Staged]:
    arrivals = Arrivals()
    journal = disk.open(arrivals)
    journal.recover()
    rows = arrivals.wait(count)
    journal.close(LIMIT)
    return rows


def test_job_is_there_if_and_only_if_the_order_is(disk: Place, shop: sqlite3.Connection) -> None:
    with shop:
        shop.execute("INSERT INTO orders VALUES (1, 'tea')")
        stage(shop, "orders", {"id": 1})
    shop.execute("INSERT INTO orders VALUES (2, 'coffee')")
    stage(shop, "orders", {"id": 2})
    shop.rollback()
    with shop:
        stage(shop, "orders", {"id": 3})
    rows = found(disk, 2)
    assert [MsgpackCodec().decode(row.body, row.buffers) for row in rows] == [{"id": 1}, {"id": 3}]
    assert shop.execute("SELECT id FROM orders").fetchall() == [(1,)]


def test_all_that_can_be_said_of_a_job_comes_with_it(disk: Place, shop: sqlite3.Connection) -> None:
    moment = datetime(2030, 1, 31, 12, tzinfo=UTC)
    data = {"picture": b"x" * 200_000}
    with shop:
        stage(shop, "orders.new", data, headers={"a": "b"}, to="till", unique="o-1", at=moment, ttl=9, priority=3)
        stage(shop, "orders.new", 1, key="7")
        stage(shop, "orders.new", 1, delay=1e6)
    one, keyed, other = found(disk, 3)
    assert (one.queue, one.headers, one.to, one.unique) == ("orders.new", {"a": "b"}, "till", "o-1")
    assert (keyed.key, keyed.due) == ("7", None)
    assert one.due == moment.timestamp()
    assert one.fate == Fate(durable=True, ttl=9, priority=3)
    assert MsgpackCodec().decode(one.body, one.buffers) == data
    assert other.due is not None
    assert 9e5 < other.due - other.pushed <= 1e6


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (lambda c: stage(c, "**", 1), NameInvalid),
        (lambda c: stage(c, "orders", object()), EncodeError),
        (lambda c: stage(c, "orders", 1, headers=WRONG), EncodeError),
        (lambda c: stage(c, "orders", 1, to="a b"), NameInvalid),
        (lambda c: stage(c, "orders", 1, key=""), ConfigError),
        (lambda c: stage(c, "orders", 1, unique="\ud800"), ConfigError),
        (lambda c: stage(c, "orders", 1, delay=-1), ConfigError),
        (lambda c: stage(c, "orders", 1, delay=1, at=1), ConfigError),
        (lambda c: stage(c, "orders", 1, at=datetime(2030, 1, 31)), ConfigError),
        (lambda c: stage(c, "orders", 1, priority=10), ConfigError),
        (lambda c: stage(c, "orders", 1, durable=False), ConfigError),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_call(
    shop: sqlite3.Connection, refused: Callable[[Any], None], why: type[Exception]
) -> None:
    with pytest.raises(why):
        refused(shop)
    assert not shop.in_transaction


def test_another_process_stages_while_the_node_runs(disk: Place, shop: sqlite3.Connection) -> None:
    arrivals = Arrivals()
    journal = disk.open(arrivals)
    journal.recover()
    program = (
        "import sqlite3, sys\n"
        "from meshmq.journal.staging import stage\n"
        "with sqlite3.connect(sys.argv[1]) as connection:\n"
        "    connection.execute(\"INSERT INTO orders VALUES (5, 'milk')\")\n"
        "    stage(connection, 'orders', {'id': 5})\n"
        "connection.close()\n"
    )
    subprocess.run([sys.executable, "-c", program, disk.path], check=True, timeout=LIMIT)
    (row,) = arrivals.wait(1)
    job = StoredJob(queue=row.queue, origin=ORIGIN, number=1, body=row.body, pushed=row.pushed, fate=row.fate)
    assert write(journal, Keep(job, row.row)) is None
    assert shop.execute("SELECT count(*) FROM meshmq_staged").fetchone() == (0,)
    journal.close(LIMIT)
    assert numbers(disk.again()) == [1]


def test_row_of_a_later_transaction_never_has_the_number_of_an_earlier_one(
    disk: Place, shop: sqlite3.Connection
) -> None:
    with shop:
        stage(shop, "orders", 1)
    (first,) = found(disk, 1)
    journal = disk.open()
    job = StoredJob(queue=first.queue, origin=ORIGIN, number=1, body=first.body, pushed=first.pushed)
    assert write(journal, Keep(job, first.row)) is None
    with shop:
        stage(shop, "orders", 2)
    assert write(journal, Keep(job, first.row)) is not None  # late, and a second time
    journal.close(LIMIT)
    (second,) = found(disk, 1)
    assert second.row != first.row
