"""Streams of a service as their callers see them, on both faces."""

from __future__ import annotations

import asyncio

import pytest

import meshmq
from tests.faces.serving import NOTHING, Asked, Server, has_asked, is_cancelled, never, pair
from tests.faces.stage import Actor, Stage, soon


async def test_stream_gives_items_in_order_and_ends(stage: Stage) -> None:
    caller, server = await pair(stage)

    async def count(asked: Asked) -> object:
        for number in range(asked.data):
            while not asked.item(number):
                await asyncio.sleep(0)
        asked.end()
        return NOTHING

    async with Server(server, "count", count):
        stream = caller.inner.stream("count", 200)
        assert [item async for item in Actor(stream)] == list(range(200))
        assert [item async for item in Actor(caller.inner.service("count").stream(3))] == [0, 1, 2]


async def test_leaving_a_stream_cancels_its_handler(stage: Stage) -> None:
    caller, server = await pair(stage)

    async def one(asked: Asked) -> object:
        asked.item("first")
        return NOTHING

    async with Server(server, "one", one) as serving:
        stream = Actor(caller.inner.stream("one"))
        async for item in stream:
            assert item == "first"
            break
        await stream.close()
        await soon(lambda: is_cancelled(serving.asked[0]))
        assert [item async for item in stream] == []


async def test_stream_that_is_dropped_cancels_its_handler(stage: Stage) -> None:
    caller, server = await pair(stage)
    async with Server(server, "never", never) as serving:
        stream = caller.inner.stream("never")
        await soon(lambda: has_asked(serving, 1))
        del stream
        await soon(lambda: is_cancelled(serving.asked[0]))


async def test_item_that_does_not_come_in_time_is_told(stage: Stage) -> None:
    caller, server = await pair(stage)
    async with Server(server, "never", never) as serving:
        await caller.wait_for(reply="never", timeout=10)
        with pytest.raises(meshmq.TimedOut, match="no item of 'never'"):
            async for _ in Actor(caller.inner.stream("never", timeout=1)):
                pass
        await soon(lambda: is_cancelled(serving.asked[0]))
