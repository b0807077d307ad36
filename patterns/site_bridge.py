"""Join two meshes by one link that carries chosen queues, topics and services, and nothing else.

*Problem*: two sites have a mesh each, with a secret of its own. A few names are to work from one in the other; the
rest is nobody's business there, and no job may be lost when the link, or who keeps it, dies.

*How it works*: one process is a node in both. What ``home`` has it offers ``abroad``, under the same name::

    home                        one process                 abroad
    push("jobs")      -->    pull | push             -->    pull("jobs")       acked here when acked there
    publish("air.n")  -->    subscribe | publish     -->    subscribe("air.*")
    request("add")    -->    reply | request         -->    reply("add")       answer, error, deadline, cancelling

A job has in its headers the ``id`` and ``sender`` from home, and ``redelivered`` if it may have run before. News bear
the ``path`` of meshes they came through and never go back into one, also where a second ``carry`` carries the same
topics home. ``gap`` in their headers says how many the bridge missed right before.

*Limits*: a queue or service goes one way. Jobs go in batches: the next begins when the last of a batch is done. Two
bridges share jobs and calls and stand in for each other; news they double. A call that fails is a ``RemoteError`` with
the ``kind`` of what went wrong abroad, where it has 0.2 s less than its caller. Streams are not carried.

*Run*::

    $ meshmq recipe run site_bridge
    jobs that wait in north, for there is no bridge: 30
    with a bridge, done in south: 30
    south hears from north: 21.5
    north asks south: 42
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from typing import Any

import meshmq

_Names = Iterable[str]
_WINDOW = 100  # jobs, and calls, of each name that are on their way at once


async def carry(
    home: meshmq.AsyncNode, abroad: meshmq.AsyncNode, *, queues: _Names = (), topics: _Names = (), services: _Names = ()
) -> None:
    """Carry until cancelled, or until one task fails; ``topics`` may be patterns.

    Raises:
        ExceptionGroup: of a ``ClosedError``, where a node was closed, or an ``EncodeError``: abroad it cannot be sent.
    """

    async def carry_jobs(queue: str) -> None:
        async with home.pull(queue, prefetch=_WINDOW) as jobs:
            while True:
                await abroad.wait_for(pull=queue)
                batch = await jobs.receive_many(_WINDOW)
                for job in batch:
                    known = {"id": job.id, "sender": job.sender} | job.headers
                    again = {"redelivered": "yes"} if job.redelivered else {}
                    await abroad.push(queue, job.data, headers=known | again)
                await abroad.queue(queue).flush()
                for job in batch:
                    job.ack()

    async def carry_news(topic: str) -> None:
        here, there = (node.stats()["mesh"] for node in (home, abroad))
        async for news in home.subscribe(topic):
            path = news.headers.get("path", "").split()
            if there not in path:
                gap = {"gap": str(news.gap)} if news.gap else {}
                headers = news.headers | gap | {"path": " ".join([*path, here])}
                await abroad.publish(news.topic, news.data, headers=headers)

    async def carry_calls(service: str) -> None:
        async def answer(data: Any, request: meshmq.Request) -> Any:
            left = request.timeout
            timeout = None if left is None else left - min(0.2, left / 2)  # the rest is for the way back
            try:
                return await abroad.request(service, data, timeout=timeout, headers=request.headers)
            except meshmq.RemoteError as error:
                return request.fail(error.kind, error.message)

        async with home.reply(service, concurrency=_WINDOW) as requests:
            requests(answer)
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        for carried, names in ((carry_jobs, queues), (carry_news, topics), (carry_calls, services)):
            for name in names:
                tasks.create_task(carried(name))


def demo() -> None:
    """Have south work for north."""
    asyncio.run(_demo(*(f"{site}-{secrets.token_hex(4)}" for site in ("north", "south"))))


async def _demo(north: str, south: str) -> None:
    boss, home = (meshmq.AsyncNode(name, mesh=north) for name in ("boss", "bridge"))
    worker, abroad = (meshmq.AsyncNode(name, mesh=south) for name in ("worker", "bridge"))
    async with boss, home, worker, abroad:
        done, heard = list[int](), worker.subscribe("air.*")
        worker.pull("jobs")(done.append)
        worker.reply("parse")(int)
        await boss.queue("jobs").push_many(range(30))
        print("jobs that wait in north, for there is no bridge:", boss.queue("jobs").depth, flush=True)
        bridge = asyncio.create_task(carry(home, abroad, queues=["jobs"], topics=["air.*"], services=["parse"]))
        await boss.flush(20)
        print("with a bridge, done in south:", len(done), flush=True)
        await boss.wait_for(subscribe="air.north", timeout=20)
        await heard.ready(20)
        await boss.publish("air.north", 21.5)
        print("south hears from north:", (await heard.receive(20)).data, flush=True)
        print("north asks south:", await boss.request("parse", "42", timeout=20))
        bridge.cancel()


if __name__ == "__main__":
    demo()
