"""What ends a loop or a wait, on both faces, and with what error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

import meshmq
from tests.faces.stage import Actor, Stage, soon


async def test_node_that_broke_is_raised_out_of_its_loops(stage: Stage) -> None:
    node = await stage.node("broken")
    receiver = await node.pull("jobs")
    looping = asyncio.create_task(anext(aiter(receiver)))
    watching = asyncio.create_task(next_of(await node.events()))
    await soon(lambda: has_waiting(node, 2))
    cause = OSError("no more memory")
    node.inner._engine.break_(cause)
    for task in (looping, watching, asyncio.create_task(anext(aiter(receiver)))):
        with pytest.raises(meshmq.ClosedError, match="broke") as told:
            await task
        assert told.value.__cause__ is cause


async def test_wait_that_timed_out_tells_of_nothing_else(stage: Stage) -> None:
    node = await stage.node("alone", outbox_jobs=1)
    receiver = await node.pull("others")
    await node.push("jobs", 1)
    for call, *arguments in ((node.push, "jobs", 2), (receiver.receive,), (receiver.receive_many, 1)):
        with pytest.raises(meshmq.TimedOut) as told:
            await call(*arguments, timeout=0)
        assert told.value.__context__ is None


async def next_of(events: Iterator[meshmq.Event] | AsyncIterator[meshmq.Event]) -> meshmq.Event:
    if isinstance(events, AsyncIterator):
        return await anext(events)
    return await asyncio.to_thread(next, events)


async def has_waiting(node: Actor, count: int) -> bool:
    return len(node.inner._engine._room) == count
