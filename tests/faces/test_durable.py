"""What outlives a node, on both faces: durable jobs, dead letters, ids, and what a user's own transaction pushes."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import meshmq
from meshmq.journal.staging import stage as push_within
from tests.faces.stage import Actor, Stage, soon, taken


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


async def shop(stage: Stage, file: Path, **settings: Any) -> Actor:
    """Open the node that has the journal; each is a new incarnation of it."""
    return await stage.node("shop", journal=file, **settings)


async def test_jobs_outlive_their_pusher_with_their_ids_and_a_flag(stage: Stage, file: Path) -> None:
    first = await shop(stage, file)
    queue = await first.queue("orders", durable=True)
    await queue.push({"id": 1}, headers={"a": "b"}, priority=3)
    assert await queue.push_many(range(10)) == 10
    await first.push("orders", "not durable")
    with pytest.raises(meshmq.Undelivered, match="1 job was not sent"):
        await first.close(0)
    second = await shop(stage, file)
    assert (await second.queue("orders")).depth == 11
    worker = await stage.node("worker")
    got = await taken(await worker.pull("orders"), 11)
    assert [message.data for message in got] == [{"id": 1}, *range(10)]
    assert all(message.redelivered for message in got)
    assert got[0].headers == {"a": "b"}
    assert len({message.id for message in got}) == 11
    await second.flush(10)
    await second.close()
    third = await shop(stage, file)
    assert (await third.queue("orders")).depth == 0


async def test_nobody_waits_at_the_door_for_what_the_journal_keeps(stage: Stage, file: Path) -> None:
    node = await shop(stage, file)
    await node.push("orders", 1, durable=True)
    await node.push("orders", 2, durable=True, delay=60)
    await node.close()  # nobody pulls: it raises nothing, and ends at once
    node = await shop(stage, file)
    assert (await node.queue("orders")).depth == 2


async def test_dead_letters_and_ids_outlive_their_node(stage: Stage, file: Path) -> None:
    node = await shop(stage, file)
    worker = await stage.node("worker")
    await node.push("orders", "poison", durable=True, unique="order-17", max_attempts=1)
    receiver = await worker.pull("orders")
    (await receiver.receive(10)).nack(reason="no such address")
    await node.flush(10)
    before = (await node.queue("orders")).dead.list()[0]
    await node.close()
    node = await shop(stage, file)
    queue = await node.queue("orders")
    (letter,) = queue.dead
    assert (letter.id, letter.data, letter.reason) == (before.id, "poison", "failed 1 time; the last: no such address")
    assert abs((letter.died - before.died).total_seconds()) < 1
    with pytest.raises(meshmq.NotUnique):
        await queue.push("again", durable=True, unique="order-17")
    assert queue.dead.retry() == 1
    message = await receiver.receive(10)
    assert (message.data, message.id, message.redelivered) == ("poison", before.id, True)
    message.ack()
    await node.flush(10)
    await node.close()
    node = await shop(stage, file)
    queue = await node.queue("orders")
    assert (queue.depth, len(queue.dead)) == (0, 0)


async def test_a_push_is_part_of_the_users_transaction(stage: Stage, file: Path) -> None:
    node = await shop(stage, file)
    worker = await stage.node("worker")
    receiver = await worker.pull("orders")
    with closing(sqlite3.connect(file, check_same_thread=False)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
        for number in range(20):
            connection.execute("INSERT INTO orders VALUES (?)", (number,))
            await node.push("orders", number, within=connection)
            if number % 2:
                connection.rollback()
            else:
                connection.commit()
        rows = [number for (number,) in connection.execute("SELECT id FROM orders")]
    got = [message.data for message in await taken(receiver, len(rows))]
    assert got == rows == list(range(0, 20, 2))
    await node.flush(10)
    await node.close()
    assert (await (await shop(stage, file)).queue("orders")).depth == 0


async def test_a_transaction_of_another_file_is_refused(stage: Stage, file: Path, tmp_path: Path) -> None:
    node = await shop(stage, file)
    other = sqlite3.connect(tmp_path / "other.db", check_same_thread=False)
    with closing(other), pytest.raises(meshmq.ConfigError, match="this node's journal"):
        await node.push("orders", 1, within=other)
    with pytest.raises(meshmq.ConfigError, match="this node's journal"):
        await node.push("orders", 1, within="orders.db")


async def test_what_is_staged_while_no_node_runs_is_pushed_when_it_comes(stage: Stage, file: Path) -> None:
    await (await shop(stage, file)).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        push_within(connection, "orders", {"id": 1}, priority=2, unique="order-17")
        push_within(connection, "orders", {"id": 2}, unique="order-17")
    node = await shop(stage, file)
    worker = await stage.node("worker")
    (message,) = await taken(await worker.pull("orders"), 1)
    assert message.data == {"id": 1}
    await node.flush(10)

    async def nothing_left() -> bool:
        depth: int = (await node.queue("orders")).depth
        return depth == 0

    await soon(nothing_left)


async def test_durable_without_a_journal_and_a_journal_without_a_name_are_refused(stage: Stage, file: Path) -> None:
    node = await stage.node("plain")
    with pytest.raises(meshmq.ConfigError, match=r"no journal: give it one, Node\(NAME, journal=FILE\)"):
        await node.push("orders", 1, durable=True)
    with pytest.raises(meshmq.ConfigError, match="no journal"):
        await node.queue("orders", durable=True)
    with pytest.raises(meshmq.ConfigError, match="a node with a name"):
        meshmq.Node(journal=file)
    with pytest.raises(meshmq.ConfigError, match="the path of a file"):
        meshmq.Node("shop", journal="")
    with pytest.raises(meshmq.ConfigError, match="journal_sync"):
        meshmq.Settings(journal_sync="sometimes")  # type: ignore[arg-type]  # what is tested is that it is refused


async def test_a_journal_that_another_node_has_is_refused_when_the_node_opens(stage: Stage, file: Path) -> None:
    first = await shop(stage, file)
    second = stage.unopened("shop", journal=file)
    with pytest.raises(meshmq.JournalError):
        await second.open()
    other = stage.unopened("till", journal=file)
    await first.close()
    with pytest.raises(meshmq.JournalError, match="shop"):
        await other.open()
    assert not (await shop(stage, file)).inner.closed


async def test_a_receipt_of_a_durable_job_tells_its_end(stage: Stage, file: Path) -> None:
    node = await shop(stage, file, journal_sync="normal")
    worker = await stage.node("worker")
    receipt = await node.push("orders", 1, durable=True, receipt=True)
    await taken(await worker.pull("orders"), 1)
    assert await receipt.wait(10) == "done"


async def keep(message: meshmq.Message) -> None:
    """Push what was made of a message, on either face; it is on disk then."""
    if isinstance(message, meshmq.AsyncMessage):
        await message.push("kept", message.data, durable=True)
    else:
        await asyncio.to_thread(message.push, "kept", message.data, durable=True)


async def test_what_a_stage_made_before_it_ended_is_on_disk_and_confirmed_when_made_again(
    stage: Stage, file: Path
) -> None:
    pusher = await stage.node("pusher")
    await pusher.push("letters", "hello")
    first = await shop(stage, file)
    message = await (await first.pull("letters")).receive(10)
    await keep(message)
    await first.close(0)  # the output is on disk, and nobody has confirmed the input
    second = await shop(stage, file)
    message = await (await second.pull("letters")).receive(10)
    await keep(message)
    message.ack()
    await pusher.flush(10)  # nobody has pulled what was made of it
    assert (await second.queue("kept")).depth == 1
