"""Handlers that yield, and handlers whose caller does not wait any more, on both faces."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

import meshmq
from tests.faces.functions import LIMIT, pair, serve
from tests.faces.stage import Stage


async def test_handler_that_yields_streams(stage: Stage) -> None:
    caller, server = await pair(stage)

    if stage.face == "blocking":

        def count(most: int) -> Iterator[int]:
            yield from range(most)

        await serve(server, "count", count)
    else:

        async def count_awaited(most: int) -> AsyncIterator[int]:
            for number in range(most):
                yield number

        await serve(server, "count", count_awaited)
    stream = await caller.stream("count", 1_000, timeout=LIMIT)
    assert [number async for number in stream] == list(range(1_000))
    with pytest.raises(meshmq.RemoteError, match=r"node\.stream"):
        await caller.request("count", 3, timeout=LIMIT)


async def test_stream_that_fails_in_between_raises_there(stage: Stage) -> None:
    caller, server = await pair(stage)

    def count(most: int) -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    await serve(server, "count", count)  # of threads on both faces
    stream = aiter(await caller.stream("count", 3, timeout=LIMIT))
    assert await anext(stream) == 1
    with pytest.raises(meshmq.RemoteError, match="no more"):
        await anext(stream)


async def test_leaving_a_stream_ends_its_handler(stage: Stage) -> None:
    caller, server = await pair(stage)
    ended = threading.Event()

    def count(_: object) -> Iterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            ended.set()

    await serve(server, "count", count)
    stream = await caller.stream("count", timeout=LIMIT)
    async for number in stream:
        if number == 100:
            break
    await stream.close()
    assert await asyncio.to_thread(ended.wait, LIMIT)


async def test_handler_whose_caller_is_gone_is_told(stage: Stage) -> None:
    caller, server = await pair(stage)
    begun, left_off = threading.Event(), threading.Event()

    if stage.face == "blocking":

        def work(data: object, request: meshmq.Request) -> None:
            begun.set()
            never = threading.Event()
            limit = time.monotonic() + LIMIT
            while not request.cancelled and time.monotonic() < limit:
                never.wait(0.005)
            left_off.set()

        await serve(server, "work", work)
    else:

        async def work_awaited(data: object) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                left_off.set()
                raise

        await serve(server, "work", work_awaited)
    await caller.wait_for(reply="work", timeout=LIMIT)
    with pytest.raises(meshmq.TimedOut):
        await caller.request("work", timeout=1)
    assert await asyncio.to_thread(left_off.wait, LIMIT)
    assert begun.is_set()
