"""A handler that takes long is named, and a node whose handlers make no progress says so, on both faces."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.faces.functions import LIMIT
from tests.faces.stage import Actor, Stage, soon


async def test_node_whose_handlers_make_no_progress_is_stalled_until_they_do(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    pusher, worker = await stage.pair(slow_handler=0.5)
    begun, go_on = threading.Event(), threading.Event()

    def work(data: object) -> None:
        begun.set()
        assert go_on.wait(LIMIT)

    (await worker.pull("jobs")).inner(work)
    await pusher.push("jobs", 1)
    assert await asyncio.to_thread(begun.wait, LIMIT)
    await soon(lambda: is_named(caplog))
    assert not await is_stalled(pusher)  # no work waits
    await (await pusher.queue("jobs")).push_many([2, 3])
    await soon(lambda: is_stalled(pusher))
    go_on.set()
    await pusher.flush(LIMIT)
    await soon(lambda: makes_progress(pusher))
    words = [record.getMessage() for record in caplog.records if "has been at work" in record.getMessage()]
    assert len(words) == 1
    assert "work of queue 'jobs'" in words[0]
    assert "test_slow_handlers.py" in words[0]


async def is_named(caplog: pytest.LogCaptureFixture) -> bool:
    return "has been at work" in caplog.text


async def is_stalled(node: Actor) -> bool:
    return any(peer.stalled for peer in await node.peers())


async def makes_progress(node: Actor) -> bool:
    return not await is_stalled(node)
