"""One node and several loops: before, after, beside each other, and in threads."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import meshmq
from meshmq.errors import InUseError
from tests.network.children import LIMIT


def test_a_node_serves_inside_the_thread_of_a_running_loop(mesh_name: str) -> None:
    async def main() -> object:
        with meshmq.Node("sync", mesh=mesh_name) as node:
            jobs = node.pull("jobs")
            node.push("jobs", "from a loop")
            message = jobs.receive(LIMIT)
            message.ack()
            return message.data

    assert asyncio.run(main()) == "from a loop"


async def to_and_fro(node: meshmq.AsyncNode, name: str) -> object:
    jobs = node.pull(name)
    await node.push(name, name)
    message = await jobs.receive(LIMIT)
    message.ack()
    await node.flush(LIMIT)
    jobs.close()
    return message.data


def test_an_async_node_may_be_made_before_its_loop_and_serve_one_loop_after_another(mesh_name: str) -> None:
    node = meshmq.AsyncNode("before", mesh=mesh_name)

    async def last() -> object:
        async with node:
            return await to_and_fro(node, "third")

    assert asyncio.run(to_and_fro(node, "first")) == "first"
    assert not node.closed
    assert asyncio.run(to_and_fro(node, "second")) == "second"
    assert asyncio.run(last()) == "third"
    assert node.closed


def test_an_async_node_is_refused_in_a_second_loop_while_its_own_still_runs(mesh_name: str) -> None:
    refused: list[str] = []

    async def elsewhere(node: meshmq.AsyncNode) -> None:
        with pytest.raises(InUseError, match="another event loop") as caught:
            await node.flush()
        refused.append(str(caught.value))

    async def main() -> None:
        async with meshmq.AsyncNode("mine", mesh=mesh_name) as node:
            await asyncio.to_thread(lambda: asyncio.run(elsewhere(node)))
            assert await to_and_fro(node, "still") == "still"

    asyncio.run(main())
    assert refused


def test_an_async_node_outside_of_a_loop_says_what_it_needs(mesh_name: str, runtime_directory: Path) -> None:
    node = meshmq.AsyncNode("no-loop", mesh=mesh_name)
    with pytest.raises(meshmq.ConfigError, match="running event loop"):
        node.peers()
    assert not [path for path in runtime_directory.rglob("*") if path.is_file()]
    assert asyncio.run(to_and_fro(node, "later")) == "later"
    asyncio.run(node.close())


def test_two_loops_in_two_threads_have_a_node_each(mesh_name: str) -> None:
    async def pull(ready: threading.Event) -> list[object]:
        async with meshmq.AsyncNode("puller", mesh=mesh_name) as node:
            jobs = node.pull("jobs")
            ready.set()
            got = []
            async for message in jobs:
                got.append(message.data)
                if len(got) == 100:
                    message.ack()
                    return got
            return got

    async def push() -> None:
        async with meshmq.AsyncNode("pusher", mesh=mesh_name) as node:
            for number in range(100):
                await node.push("jobs", number)

    got: list[object] = []
    ready = threading.Event()
    thread = threading.Thread(target=lambda: got.extend(asyncio.run(pull(ready))))
    thread.start()
    assert ready.wait(LIMIT)
    asyncio.run(push())
    thread.join(LIMIT)
    assert got == list(range(100))
