"""The bridge between two meshes: jobs are done there or still here, news never come back, calls end as at home."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import pytest
from meshmq.patterns.site_bridge import carry

import meshmq
from tests.network.children import LIMIT
from tests.network.conftest import Spawn, spawn, start
from tests.scale import STRESS

__all__ = ["spawn", "start"]

SETTINGS = meshmq.Settings(silence=0.8, heartbeat=0.2)
BRIDGE = """
import asyncio, sys, meshmq
from meshmq.patterns.site_bridge import carry

async def main():
    settings = meshmq.Settings(silence=0.8, heartbeat=0.2)
    north, south = (meshmq.AsyncNode("bridge", mesh=mesh, settings=settings) for mesh in sys.argv[1:])
    async with north, south:
        await carry(north, south, queues=["jobs"])

asyncio.run(main())
"""


class Sites:
    """Nodes in meshes that a test names, and the bridges between them; the end of the test is theirs."""

    def __init__(self, stack: AsyncExitStack, mesh: str) -> None:
        self._stack, self._mesh = stack, mesh

    async def node(self, name: str, site: str, settings: meshmq.Settings | None = None) -> meshmq.AsyncNode:
        node = await meshmq.AsyncNode(name, mesh=f"{self._mesh}-{site}", settings=settings).open()
        self._stack.push_async_callback(node.close, 0)
        return node

    async def bridge(self, home: str, abroad: str, settings: meshmq.Settings | None = None, **names: list[str]) -> None:
        nodes = [await self.node("bridge", site, settings) for site in (home, abroad)]
        task = asyncio.create_task(carry(*nodes, **names))
        self._stack.push_async_callback(asyncio.wait, [task])
        self._stack.callback(task.cancel)


async def insist(caller: meshmq.AsyncNode, service: str) -> None:
    """Ask until there is an answer in time: what the other side says of one that nobody serves takes it all."""
    while True:
        with suppress(meshmq.TimedOut):
            await caller.request(service, timeout=0.5)


def run(mesh: str, test: Callable[[Sites], Awaitable[None]]) -> None:
    """Run a test with its sites."""

    async def main() -> None:
        async with AsyncExitStack() as stack, asyncio.timeout(LIMIT):
            await test(Sites(stack, mesh))

    asyncio.run(main())


def test_a_job_is_done_at_home_when_it_is_done_abroad(mesh_name: str) -> None:
    async def test(sites: Sites) -> None:
        boss, worker = await sites.node("boss", "north"), await sites.node("worker", "south")
        await sites.bridge("north", "south", queues=["jobs"])
        await boss.push("jobs", {"n": 1}, headers={"colour": "red"})
        jobs = worker.pull("jobs")
        job = await jobs.receive(LIMIT)
        assert (job.data, job.headers["sender"], job.headers["colour"]) == ({"n": 1}, "boss", "red")
        assert "redelivered" not in job.headers
        with pytest.raises(meshmq.TimedOut):
            await boss.flush(0.2)
        job.nack(0)
        again = await jobs.receive(LIMIT)
        assert (again.headers["id"], again.redelivered) == (job.headers["id"], True)
        assert boss.queue("jobs").depth == 1
        again.ack()
        await boss.flush(LIMIT)
        jobs.close()

    run(mesh_name, test)


def test_jobs_stay_at_home_while_nobody_pulls_them_abroad(mesh_name: str) -> None:
    async def test(sites: Sites) -> None:
        boss, worker = await sites.node("boss", "north"), await sites.node("worker", "north")
        await sites.bridge("north", "south", queues=["jobs"])
        await boss.wait_for(pull="jobs", timeout=LIMIT)
        await boss.queue("jobs").push_many(range(20))
        jobs = worker.pull("jobs", idle=0.3)
        assert [job.data async for job in jobs] == list(range(20))
        jobs.close()

    run(mesh_name, test)


def test_topics_that_go_both_ways_and_around_come_once_and_in_order(mesh_name: str) -> None:
    async def test(sites: Sites) -> None:
        ring = ("a", "b", "c")
        nodes = [await sites.node("program", site) for site in ring]
        heard = [node.subscribe("air.*") for node in nodes]
        for home, abroad in ("ab", "ba", "bc", "cb"):
            await sites.bridge(home, abroad, topics=["air.*"])
        for node in nodes:
            await node.wait_for(subscribe="air.north", count=3 if node is nodes[1] else 2, timeout=LIMIT)
        for subscription in heard:
            await subscription.ready(LIMIT)
        for number in range(50):
            for site, node in zip(ring, nodes, strict=True):
                await node.publish(f"air.{site}", number)
        for subscription in heard:
            got = [await subscription.receive(LIMIT) for _ in range(150)]
            for site in ring:
                assert [message.data for message in got if message.topic == f"air.{site}"] == list(range(50))
            with pytest.raises(meshmq.TimedOut):
                await subscription.receive(0.1)

    run(mesh_name, test)


def test_what_the_bridge_missed_is_told_abroad(mesh_name: str) -> None:
    async def test(sites: Sites) -> None:
        station, viewer = await sites.node("station", "north"), await sites.node("viewer", "south")
        news = viewer.subscribe("air.*")
        await sites.bridge("north", "south", meshmq.Settings(subscriber_messages=2), topics=["air.*"])
        await station.wait_for(subscribe="air.north", timeout=LIMIT)
        await news.ready(LIMIT)
        for number in range(1, 101):  # nobody else comes between
            await station.publish("air.north", number)
        told = 0
        async for message in news:
            told += 1 + int(message.headers.get("gap", "0"))
            assert told == message.data
            if told == 100:
                break
        assert message.seq < 100

    run(mesh_name, test)


def test_calls_have_their_deadline_their_errors_and_their_end_abroad(mesh_name: str) -> None:
    async def test(sites: Sites) -> None:
        caller, server = await sites.node("caller", "north"), await sites.node("server", "south")
        begun, left_off = asyncio.Event(), asyncio.Event()

        @server.reply("parse")
        async def parse(text: str, request: meshmq.Request) -> object:
            return int(text), request.timeout, request.headers

        @server.reply("hang")
        async def hang(data: object) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                left_off.set()

        await sites.bridge("north", "south", services=["parse", "hang", "nobody"])
        number, left, headers = await caller.request("parse", "42", timeout=LIMIT, headers={"colour": "red"})
        assert (number, headers) == (42, {"colour": "red"})
        assert 0 < left < LIMIT
        with pytest.raises(meshmq.RemoteError, match="invalid literal") as caught:
            await caller.request("parse", "x", timeout=LIMIT)
        assert caught.value.kind == "ValueError"
        with pytest.raises(meshmq.RemoteError) as caught:
            await insist(caller, "nobody")
        assert caught.value.kind == "NoPeersError"
        task = asyncio.create_task(caller.request("hang", timeout=LIMIT))
        await begun.wait()
        task.cancel()
        await left_off.wait()
        await asyncio.wait([task])

    run(mesh_name, test)


def test_bridges_that_are_killed_and_stopped_lose_no_job_and_what_may_run_twice_says_so(
    spawn: Spawn, mesh_name: str
) -> None:
    north, south = (f"{mesh_name}-{site}" for site in ("north", "south"))
    bridges = [spawn(BRIDGE, north, south) for _ in range(3)]
    runs, silent = Counter[int](), Counter[int]()
    boss, worker = meshmq.Node("boss", mesh=north, settings=SETTINGS), meshmq.Node("worker", mesh=south)
    with boss, worker:

        @worker.pull("jobs")
        def work(number: int, job: meshmq.Message) -> None:
            runs[number] += 1
            silent[number] += not (job.redelivered or "redelivered" in job.headers)
            if runs.total() == 100:
                bridges[0].kill()
            elif runs.total() == 200:
                bridges[1].stop() if STRESS else bridges[1].kill()  # that one stands still is noticed after seconds

        boss.wait_for(pull="jobs", count=3, timeout=LIMIT)
        boss.queue("jobs").push_many(range(600))
        boss.flush(LIMIT)
    assert sorted(runs) == list(range(600))
    assert max(silent.values()) == 1
