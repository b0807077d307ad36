"""What every node answers of itself, on both faces."""

from __future__ import annotations

import asyncio
import threading

import meshmq
from tests.faces.functions import LIMIT, pair, serve
from tests.faces.stage import Actor, Stage, soon


async def test_every_node_tells_its_numbers(stage: Stage) -> None:
    caller, server = await pair(stage)
    await serve(server, "add", sum)
    assert await caller.request("add", [1, 2], timeout=LIMIT) == 3
    told = await caller.request("meshmq.stats", to="server", timeout=LIMIT)
    assert (told["name"], told["services"]["add"]["reply"]["done"]) == ("server", 1)
    own = await caller.request("meshmq.stats", to="caller", timeout=LIMIT)
    assert own["name"] == "caller"
    assert server.inner._participant.presence.card.serves == ("add",)
    assert threading.active_count() < 50


async def test_numbers_are_told_again_and_again_and_at_once(stage: Stage) -> None:
    caller, _ = await pair(stage)
    for _ in range(3):
        told = await asyncio.gather(
            *[caller.request("meshmq.stats", to="server", timeout=LIMIT) for _ in range(5)],
        )
        assert [each["name"] for each in told] == ["server"] * 5


async def test_node_is_drained_from_afar(stage: Stage) -> None:
    caller, server = await pair(stage)
    await serve(server, "add", sum)
    running = asyncio.create_task(server.run())
    assert await caller.request("add", [1, 2], timeout=LIMIT) == 3
    assert await caller.request("meshmq.drain", to="server", timeout=LIMIT) == "draining"
    async with asyncio.timeout(LIMIT):
        await running
    await soon(lambda: has_no_peers(caller))


async def test_node_that_drains_still_tells_its_numbers(stage: Stage) -> None:
    caller, server = await pair(stage)
    await server.drain(LIMIT)
    told = await caller.request("meshmq.stats", to="server", timeout=LIMIT)
    assert told["state"] == "draining"


async def has_no_peers(node: Actor) -> bool:
    peers: list[meshmq.PeerView] = await node.peers()
    return not peers
