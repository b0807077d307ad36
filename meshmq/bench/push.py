"""MeshMQ's pushers, which have every job confirmed, and workers; of small jobs and of large ones."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from meshmq.bench.nodes import address, opened, opened_async
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import LIMIT, Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage
    from meshmq.faces.aio import AsyncNode

QUEUE: Final = "jobs"


def push(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push a share of the jobs and tell how long it took until all were confirmed."""
    value = value_of(work)
    with opened(work, place, addresses) as node:
        node.wait_for(pull=QUEUE, count=work.receivers, timeout=LIMIT)
        for _ in range(work.warm):
            node.push(QUEUE, value)
        node.flush(LIMIT)
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.perf_counter()
        for _ in range(work.share):
            node.push(QUEUE, value)
        node.flush(LIMIT)
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def pull(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until told to stop."""
    check, had = check_of(work), 0
    with opened(work, place) as node:
        receiver = node.pull(QUEUE)
        stage.on_stop = receiver.close
        stage.tell(address=address(node))
        for message in receiver:
            check(message.data)
            had += 1
    stage.tell(had=had)


def push_async(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Do as ``push`` on an event loop."""

    async def run() -> None:
        value = value_of(work)
        async with opened_async(work, place, addresses) as node:
            await node.wait_for(pull=QUEUE, count=work.receivers, timeout=LIMIT)
            for _ in range(work.warm):
                await node.push(QUEUE, value)
            await node.flush(LIMIT)
            stage.tell(ready=True)
            await asyncio.to_thread(stage.wait_for_go)
            begun = time.perf_counter()
            for _ in range(work.share):
                await node.push(QUEUE, value)
            await node.flush(LIMIT)
            stage.tell(seconds=time.perf_counter() - begun)
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def pull_async(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Do as ``pull`` on an event loop."""
    check, had = check_of(work), 0

    async def run() -> None:
        async with opened_async(work, place) as node:
            task = asyncio.create_task(take(node))
            loop = asyncio.get_running_loop()
            stage.on_stop = lambda: loop.call_soon_threadsafe(task.cancel)
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def take(node: AsyncNode) -> None:
        nonlocal had
        receiver = node.pull(QUEUE)
        stage.tell(address=address(node))
        async for message in receiver:
            check(message.data)
            had += 1

    asyncio.run(run())
    stage.tell(had=had)
