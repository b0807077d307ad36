"""What a receiver does, on both faces."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

import meshmq
from tests.faces.stage import Actor, Stage, acked, soon, taken


async def test_asking_for_the_next_job_acks_the_one_before(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    await (await pusher.queue("jobs")).push_many("abc")
    assert (await receiver.receive()).data == "a"
    assert await acked(pusher) == 0
    assert (await receiver.receive()).data == "b"
    await soon(lambda: has_acked(pusher, 1))
    assert (await receiver.receive()).data == "c"
    with pytest.raises(meshmq.TimedOut):
        await receiver.receive(0)
    await soon(lambda: has_acked(pusher, 3))


async def test_receive_with_timeout_zero_never_waits(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    with pytest.raises(meshmq.TimedOut, match="jobs"):
        await receiver.receive(0)
    await pusher.push("jobs", 1)
    await receiver.ready(10)
    assert (await receiver.receive(0)).data == 1


async def test_receive_that_times_out_takes_nothing(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    begun = time.monotonic()
    with pytest.raises(meshmq.TimedOut, match=r"within 0\.05 s"):
        await receiver.receive(0.05)
    assert time.monotonic() - begun >= 0.05
    await pusher.push("jobs", 1)
    message = await receiver.receive(10)
    assert (message.data, message.attempt) == (1, 1)


async def test_receive_without_a_timeout_waits_for_the_job(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    waiting = asyncio.create_task(receiver.receive())
    await soon(lambda: pulls(pusher, "jobs"))
    await pusher.push("jobs", "late")
    assert (await waiting).data == "late"


async def test_receive_many_returns_at_least_one_and_at_most_the_limit(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await (await pusher.queue("jobs")).push_many(range(100))
    receiver = await worker.pull("jobs", prefetch=50)
    got: list[object] = []
    while len(got) < 100:
        messages = await receiver.receive_many(7, 10)
        assert 1 <= len(messages) <= 7
        got += [message.data for message in messages]
    assert got == list(range(100))
    with pytest.raises(meshmq.TimedOut):
        await receiver.receive_many(7, 0)
    await soon(lambda: has_acked(pusher, 100))


async def test_what_many_received_is_given_back_as_a_possible_repeat(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await (await pusher.queue("jobs")).push_many(range(100))
    receiver = await worker.pull("jobs", prefetch=100)
    before, done, begun = [{message.data for message in await receiver.receive_many(10, 10)} for _ in range(3)]
    await receiver.close()
    again = await worker.pull("jobs")
    await soon(lambda: has_acked(pusher, len(before) + len(done)))
    left = 100 - len(before) - len(done)
    messages = [await again.receive(10) for _ in range(left)]
    assert {message.data for message in messages if message.redelivered} == begun
    assert not (before | done) & {message.data for message in messages}


async def test_what_a_loop_leaves_is_done_elsewhere_in_order(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    other = await stage.node("other")
    receiver = await worker.pull("jobs", prefetch=100)
    queue = await pusher.queue("jobs")
    await queue.push_many(range(60))
    async for message in receiver:
        if message.data == 0:
            await queue.push_many(range(60, 100))
            await soon(lambda: has_waiting(receiver, 99))
        if message.data == 30:
            break
    del message
    elsewhere = await other.pull("jobs")
    messages = [await elsewhere.receive(10) for _ in range(70)]
    assert [(message.data, message.attempt) for message in messages] == [(30, 2), *((n, 1) for n in range(31, 100))]


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, None])
async def test_limit_that_is_no_count_is_refused(stage: Stage, limit: object) -> None:
    receiver = await (await stage.node("worker")).pull("jobs")
    with pytest.raises(meshmq.ConfigError, match="limit"):
        await receiver.receive_many(limit, 0)


@pytest.mark.parametrize("prefetch", [0, -1, 1.5, True, 2**40 + 1, 2**64])
async def test_prefetch_that_cannot_be_granted_is_refused(stage: Stage, prefetch: object) -> None:
    node = await stage.node("worker")
    with pytest.raises(meshmq.ConfigError, match="prefetch"):
        await node.pull("jobs", prefetch=prefetch)


async def test_largest_prefetch_is_granted_and_acked(stage: Stage) -> None:
    pusher, worker = await stage.pair(prefetch_bytes=2**40)
    receiver = await worker.pull("jobs", prefetch=2**40)
    for number in range(3):
        await pusher.push("jobs", number)
    await taken(receiver, 3)
    await pusher.flush(10)


@pytest.mark.parametrize("timeout", [-1, "1", True, float("nan")])
async def test_timeout_that_is_no_span_is_refused(stage: Stage, timeout: object) -> None:
    receiver = await (await stage.node("worker")).pull("jobs")
    with pytest.raises(meshmq.ConfigError, match="timeout"):
        await receiver.receive(timeout)


async def test_ready_takes_nothing(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    with pytest.raises(meshmq.TimedOut):
        await receiver.ready(0)
    await pusher.push("jobs", 1)
    await receiver.ready(10)
    await receiver.ready(0)
    assert len(receiver) == 1
    message = await receiver.receive(0)
    assert (message.data, message.attempt, len(receiver)) == (1, 1, 0)


async def test_closed_receiver_raises_and_its_loops_end_quietly(stage: Stage) -> None:
    worker = await stage.node("worker")
    receiver = await worker.pull("jobs")
    await receiver.close()
    await receiver.close()
    for call in (receiver.receive, receiver.ready):
        with pytest.raises(meshmq.ClosedError):
            await call(0)
    with pytest.raises(meshmq.ClosedError):
        await receiver.receive_many(1, 0)
    assert [message async for message in receiver] == []
    assert "closed" in repr(receiver)


async def test_closing_ends_who_waits(stage: Stage) -> None:
    worker = await stage.node("worker")
    receiver = await worker.pull("jobs")
    waiting = asyncio.create_task(receiver.receive())
    looping = asyncio.create_task(collect(receiver))
    await soon(lambda: asks(worker, 2))
    await receiver.close()
    with pytest.raises(meshmq.ClosedError):
        await waiting
    assert await looping == []


async def test_closing_the_node_ends_who_waits(stage: Stage) -> None:
    worker = await stage.node("worker")
    receiver = await worker.pull("jobs")
    looping = asyncio.create_task(collect(receiver))
    await soon(lambda: asks(worker, 1))
    await worker.close()
    assert await looping == []
    with pytest.raises(meshmq.ClosedError):
        await receiver.receive(0)


async def test_leaving_a_receiver_acks_what_it_received(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await pusher.push("jobs", 1)
    async with await worker.pull("jobs") as receiver:
        await receiver.receive(10)
    await pusher.flush(10)


async def test_leaving_a_receiver_that_was_closed_inside_acks_nothing(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await pusher.push("jobs", 1)
    async with await worker.pull("jobs") as receiver:
        await receiver.receive(10)
        await receiver.close()
    async with await worker.pull("jobs") as receiver:
        assert (await receiver.receive(10)).attempt == 2


async def test_leaving_a_receiver_by_exception_gives_back(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await (await pusher.queue("jobs")).push_many([1, 2])
    with suppress(RuntimeError):
        async with await worker.pull("jobs", prefetch=2) as receiver:
            await receiver.receive(10)
            raise RuntimeError
    async with await worker.pull("jobs") as receiver:
        messages = [await receiver.receive(10) for _ in range(2)]
    assert {(message.data, message.attempt) for message in messages} == {(1, 2), (2, 1)}


async def test_idle_ends_the_iteration_and_acks(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await (await pusher.queue("jobs")).push_many(range(5))
    receiver = await worker.pull("jobs", idle=1.0)
    await receiver.ready(10)
    assert await collect(receiver) == [0, 1, 2, 3, 4]
    await pusher.flush(10)


async def has_acked(pusher: Actor, count: int) -> bool:
    return await acked(pusher) == count


async def pulls(node: Actor, queue: str) -> bool:
    return any(queue in peer.pulls for peer in await node.peers())


async def has_waiting(receiver: Actor, count: int) -> bool:
    return len(receiver) == count


async def asks(worker: Actor, count: int) -> bool:
    """Whether so many consumers wait for a job."""
    return len(worker.inner._participant.inboxes["jobs"]._askers) >= count


async def collect(receiver: Actor) -> list[int]:
    found = []
    async for message in receiver:
        assert isinstance(message.data, int)
        found.append(message.data)
    return found
