"""Draining and running, on both faces."""

from __future__ import annotations

import asyncio
import threading

import pytest

import meshmq
from tests.faces.functions import LIMIT, pair, serve
from tests.faces.stage import Actor, Stage, acked, soon


async def test_drain_ends_a_loop_after_its_job_and_gives_back_the_rest_unflagged(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs", prefetch=10)
    await (await pusher.queue("jobs")).push_many(range(10))
    run = []
    async for message in receiver:
        run.append(message.data)
        await worker.drain(LIMIT)
    del message
    assert run == [0]
    await soon(lambda: has_acked(pusher, 1))
    again = await pusher.pull("jobs")
    messages = [await again.receive(LIMIT) for _ in range(9)]
    assert [(message.data, message.attempt) for message in messages] == [(number, 1) for number in range(1, 10)]


async def test_node_that_drains_says_so_and_takes_nothing_new(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await worker.pull("jobs")
    await worker.drain(LIMIT)
    await soon(lambda: is_draining(pusher))
    with pytest.raises(meshmq.ClosedError, match="takes nothing more"):
        await worker.pull("others")
    await pusher.pull("back")
    await worker.push("back", 1)  # it is open still
    await worker.drain(LIMIT)  # twice is once


async def test_drain_waits_for_what_handlers_run(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    begun, go_on = threading.Event(), threading.Event()

    def work(data: object) -> None:
        begun.set()
        assert go_on.wait(LIMIT)

    (await worker.pull("jobs")).inner(work)
    await pusher.push("jobs", 1)
    assert await asyncio.to_thread(begun.wait, LIMIT)
    with pytest.raises(meshmq.TimedOut, match="work of queue 'jobs'"):
        await worker.drain(0.05)
    go_on.set()
    await worker.drain(LIMIT)
    await pusher.flush(LIMIT)


async def test_handler_may_drain_its_own_node(stage: Stage) -> None:
    caller, server = await pair(stage)

    if stage.face == "blocking":

        def stop(data: object) -> str:
            server.inner.drain(LIMIT)
            return "drained"

        await serve(server, "stop", stop)
    else:

        async def stop_awaited(data: object) -> str:
            await server.inner.drain(LIMIT)
            return "drained"

        await serve(server, "stop", stop_awaited)
    running = asyncio.create_task(server.run())
    assert await caller.request("stop", timeout=LIMIT) == "drained"
    async with asyncio.timeout(LIMIT):
        await running
    assert "closed" in repr(server)


async def test_run_opens_the_node_and_returns_when_it_is_drained_or_closed(stage: Stage) -> None:
    for end in ("drain", "close"):
        caller, server = await stage.node("caller"), stage.unopened("server")
        await serve(server, "add", sum)
        running = asyncio.create_task(server.run())
        assert await caller.request("add", [1, 2], timeout=LIMIT) == 3
        await getattr(server, end)()
        async with asyncio.timeout(LIMIT):
            await running
        with pytest.raises(meshmq.ClosedError):
            await server.run()


async def has_acked(pusher: Actor, count: int) -> bool:
    return await acked(pusher) == count


async def is_draining(node: Actor) -> bool:
    return any(peer.state == "draining" for peer in await node.peers())
