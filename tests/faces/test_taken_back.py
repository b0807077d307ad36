"""Durable pushes that end before the disk has taken them, on both faces: none of them is pushed, and that is told."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import meshmq
from tests.faces.stage import Stage, taken


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


@contextmanager
def slow_disk(file: Path) -> Iterator[None]:
    """Have the disk take nothing for a while: somebody else writes."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def test_a_push_that_is_given_up_while_the_disk_is_slow_is_none_and_can_be_tried_again(
    stage: Stage, file: Path
) -> None:
    node = await stage.node("shop", journal=file)
    await node.push("orders", "before", durable=True)
    with slow_disk(file), pytest.raises(meshmq.TimedOut, match="waited for the disk to take a job of 'orders'"):
        await node.push("orders", "first", durable=True, unique="order-17", timeout=0.1)
    await node.push("orders", "second", durable=True, unique="order-17")
    for _ in range(2):
        with pytest.raises(meshmq.NotUnique):
            await node.push("orders", "third", durable=True, unique="order-17")
        await node.close()
        node = await stage.node("shop", journal=file)
    worker = await stage.node("worker")
    assert [message.data for message in await taken(await worker.pull("orders"), 2)] == ["before", "second"]


async def test_so_is_one_that_is_cancelled(mesh_name: str, file: Path) -> None:
    async with meshmq.AsyncNode("shop", mesh=mesh_name, journal=file) as node:
        await node.push("orders", "before", durable=True)
        with slow_disk(file), pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await node.push("orders", "first", durable=True, unique="order-17")
        await node.push("orders", "second", durable=True, unique="order-17")
        async with node.pull("orders", idle=1.0) as jobs:
            assert [message.data async for message in jobs] == ["before", "second"]
