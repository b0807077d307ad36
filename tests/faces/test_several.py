"""Several loops, receivers and waits of one queue on one node, on both faces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import chain

import pytest

import meshmq
from tests.faces.stage import Actor, Stage, soon


async def test_several_loops_over_one_receiver_share_the_jobs(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await (await pusher.queue("jobs")).push_many(range(200))
    receiver = await worker.pull("jobs")
    shares = [asyncio.create_task(collect(receiver)) for _ in range(4)]
    await pusher.flush(10)  # each loop acks its last job when it asks for the next
    await receiver.close()
    assert sorted(chain(*[await share for share in shares])) == list(range(200))


@pytest.mark.parametrize("prefetch", [None, 1])
async def test_several_loops_work_at_the_same_time(stage: Stage, prefetch: int | None) -> None:
    pusher, worker = await stage.pair(prefetch_work=1e-9)  # so that every job is a long one
    await (await pusher.queue("jobs")).push_many(range(12))
    receiver = await worker.pull("jobs", prefetch=prefetch)
    all_at_work = asyncio.Barrier(4)

    async def work() -> None:
        async for _ in receiver:
            await all_at_work.wait()

    shares = [asyncio.create_task(work()) for _ in range(4)]
    await pusher.flush(10)
    await receiver.close()
    await asyncio.gather(*shares)


async def test_two_receivers_of_one_queue_are_independent(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    first, second = await worker.pull("jobs"), await worker.pull("jobs")
    await pusher.push("jobs", 1)
    assert (await first.receive(10)).data == 1
    await second.close()
    await pusher.push("jobs", 2)
    assert (await first.receive(10)).data == 2


async def test_who_only_looks_leaves_the_wake_to_who_receives(stage: Stage) -> None:
    pusher, worker = await stage.pair(first_word=60.0)  # before it no waiter looks by itself
    receiver = await worker.pull("jobs")
    room = worker.inner._engine._room
    looking = asyncio.create_task(receiver.ready(30))
    await soon(lambda: holds(lambda: len(room) == 1))
    receiving = asyncio.create_task(receiver.receive(30))
    await soon(lambda: holds(lambda: len(room) == 2))
    await pusher.push("jobs", 1)
    async with asyncio.timeout(10):
        assert (await receiving).data == 1
    await receiver.close()
    with suppress(meshmq.ClosedError):  # the job may be taken before it is seen
        await looking


async def holds(claim: Callable[[], bool]) -> bool:
    return claim()


async def collect(receiver: Actor) -> list[int]:
    return [message.data async for message in receiver]


async def test_each_receiver_has_a_lease_of_its_own(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    patient, hasty = await worker.pull("jobs"), await worker.pull("jobs", lease=0.2)
    await pusher.push("jobs", "job")
    held = await hasty.receive(10)
    again = await patient.receive(10)
    assert (again.id, again.redelivered) == (held.id, True)
    again.ack()
    await pusher.flush(10)
    assert (await worker.stats())["queues"]["jobs"]["pull"]["overdue"] == 1
