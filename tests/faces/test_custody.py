"""What is made of a job: it is confirmed when that is safe, and not before; on both faces."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

import meshmq
from tests.faces.stage import Actor, Stage, acked, soon, taken

LIMIT = 10.0


async def push(message: meshmq.Message, queue: str, data: object, **options: Any) -> None:
    """Push what was made of a message, on either face."""
    if isinstance(message, meshmq.AsyncMessage):
        await message.push(queue, data, **options)
    else:
        await asyncio.to_thread(message.push, queue, data, **options)


async def pulled(node: Actor, queue: str = "jobs") -> dict[str, Any]:
    counters = (await node.stats())["queues"][queue]["pull"]
    assert isinstance(counters, dict)
    return counters


async def chain(stage: Stage, values: Sequence[object], **settings: Any) -> tuple[Actor, Actor]:
    """Return a pusher that has pushed so much into "jobs", and a worker."""
    pusher, worker = await stage.pair(**settings)
    await (await pusher.queue("jobs")).push_many(values)
    return pusher, worker


async def test_a_job_is_confirmed_when_what_was_made_of_it_is(stage: Stage) -> None:
    pusher, worker = await chain(stage, [1, 2, 3])
    receiver = await worker.pull("jobs")
    for _ in range(3):
        await push(message := await receiver.receive(LIMIT), "made", 10 * message.data)
    with pytest.raises(meshmq.TimedOut):
        await receiver.receive(0.05)
    counters = await pulled(worker)
    assert (counters["in_custody"], counters["done"]) == (3, 0)
    assert (await pusher.queue("jobs")).depth == 3
    sink = await stage.node("sink")
    messages = await taken(await sink.pull("made"), 3)
    assert [message.data for message in messages] == [10, 20, 30]
    await pusher.flush(LIMIT)
    counters = await pulled(worker)
    assert (counters["in_custody"], counters["done"]) == (0, 3)


async def test_a_job_that_is_acked_by_word_waits_too(stage: Stage) -> None:
    pusher, worker = await chain(stage, [1])
    with await (await worker.pull("jobs")).receive(LIMIT) as message:
        await push(message, "made", 2)
    with pytest.raises(meshmq.TimedOut):
        await pusher.flush(0.05)
    await taken(await worker.pull("made"), 1)
    await pusher.flush(LIMIT)


async def test_what_is_safe_before_the_job_is_done_does_not_confirm_it(stage: Stage) -> None:
    pusher, worker = await chain(stage, [1])
    message = await (await worker.pull("jobs")).receive(LIMIT)
    await push(message, "made", 2)
    await taken(await worker.pull("made"), 1)
    await worker.flush(LIMIT)
    with pytest.raises(meshmq.TimedOut):
        await pusher.flush(0.05)
    message.ack()
    await pusher.flush(LIMIT)


async def test_who_makes_it_again_makes_the_same_jobs(stage: Stage) -> None:
    pusher, first = await chain(stage, ["a"], backoff=0.01)
    receiver = await first.pull("jobs")
    message = await receiver.receive(LIMIT)
    for number in range(3):
        await push(message, "made", number)
    message.nack(0)
    again = await receiver.receive(LIMIT)
    assert again.redelivered
    for number in range(3):
        await push(again, "made", number)
    assert (await first.queue("made")).depth == 3, "what is here still is not taken twice"
    again.nack(0)
    sink = await stage.node("sink")
    results = await sink.pull("made")
    before = await taken(results, 3)
    await first.flush(LIMIT)
    await receiver.close()
    second = await stage.node("second")
    elsewhere = await (await second.pull("jobs")).receive(LIMIT)
    for number in range(4):
        await push(elsewhere, "made", number)
    elsewhere.ack()
    (after,) = await taken(results, 1)
    await pusher.flush(LIMIT)
    assert [made.data for made in before] == [0, 1, 2]
    assert len({made.id for made in (*before, after)}) == 4
    assert (after.data, after.redelivered) == (3, True), "made of a job that comes again it may have been run before"
    assert (await pulled(sink, "made"))["repeats"] == 3


async def test_a_job_in_custody_frees_its_place(stage: Stage) -> None:
    _, worker = await chain(stage, range(20))
    receiver = await worker.pull("jobs", prefetch=1)
    for number in range(20):
        message = await receiver.receive(LIMIT)
        assert message.data == number
        await push(message, "made", number)


async def has_room(worker: Actor) -> bool:
    return bool((await pulled(worker))["in_custody"] < 3)


async def test_so_many_are_in_custody_and_no_more(stage: Stage) -> None:
    pusher, worker = await chain(stage, range(10), custody=3)
    receiver = await worker.pull("jobs")
    for _ in range(3):
        await push(await receiver.receive(LIMIT), "made", None)
    with pytest.raises(meshmq.TimedOut, match="what was made of 3 jobs of 'jobs' to be confirmed"):
        await receiver.receive(0.05)
    made = await (await stage.node("sink")).pull("made")
    for number in range(10):
        (await made.receive(LIMIT)).ack()
        if number < 7:
            await push(await receiver.receive(LIMIT), "made", None)
        elif number == 7:
            await soon(partial(has_room, worker))
            with pytest.raises(meshmq.TimedOut, match=r"waited for a job of 'jobs'"):
                await receiver.receive(0.05)  # the last is handled, and left
    await pusher.flush(LIMIT)


async def test_jobs_that_are_held_are_confirmed_together(stage: Stage) -> None:
    pusher, worker = await chain(stage, [1, 2, 3, 4, 5])
    receiver = await worker.pull("jobs", prefetch=1)
    batch = []
    for _ in range(4):
        batch.append(message := await receiver.receive(LIMIT))
        message.hold()
    five = await receiver.receive(LIMIT)
    first, *others = batch
    await push(first, "made", sum(message.data for message in batch), also=others)
    for message in batch:
        message.ack()
        message.nack()  # a second word is ignored
    with pytest.raises(meshmq.TimedOut):
        await pusher.flush(0.05)
    (made,) = await taken(await worker.pull("made"), 1)
    assert made.data == 10
    await soon(lambda: _acked(pusher, 4))
    five.ack()
    await pusher.flush(LIMIT)


async def test_a_job_that_is_held_can_be_given_back(stage: Stage) -> None:
    pusher, worker = await chain(stage, [1, 2], backoff=0.01)
    receiver = await worker.pull("jobs")
    held = await receiver.receive(LIMIT)
    held.hold()
    other = await receiver.receive(LIMIT)
    held.nack(0)
    other.ack()
    again = await receiver.receive(LIMIT)
    assert (again.data, again.attempt) == (1, 2)
    again.ack()
    await pusher.flush(LIMIT)


async def test_who_leaves_gives_back_what_is_held(stage: Stage) -> None:
    pusher, worker = await chain(stage, [1, 2])
    receiver = await worker.pull("jobs")
    (await receiver.receive(LIMIT)).hold()
    await receiver.receive(LIMIT)
    await receiver.close()
    other = await stage.node("other")
    messages = await taken(await other.pull("jobs"), 2)
    assert [(message.data, message.redelivered) for message in messages] == [(1, True), (2, True)]
    await pusher.flush(LIMIT)


async def test_batches_cut_otherwise_are_other_jobs(stage: Stage) -> None:
    _, worker = await chain(stage, [1, 2, 3])
    receiver = await worker.pull("jobs")
    one, two, three = [await _held(receiver) for _ in range(3)]
    await push(one, "made", 3, also=[two])
    await push(one, "made", 4, also=[three])
    await push(one, "made", 1)
    await push(two, "made", 2)
    ids = {message.id for message in await taken(await worker.pull("made"), 4)}
    assert len(ids) == 4


async def _acked(pusher: Actor, count: int) -> bool:
    return await acked(pusher) == count


async def _held(receiver: Actor) -> meshmq.Message:
    message = await receiver.receive(LIMIT)
    assert isinstance(message, meshmq.Message)
    message.hold()
    return message


async def test_a_handler_makes_jobs_of_jobs(stage: Stage) -> None:
    pusher, worker = await chain(stage, range(50))
    receiver = await worker.pull("jobs")
    if stage.face == "blocking":

        def make(data: int, message: meshmq.Message) -> None:
            message.push("made", data + 100)

        receiver.inner(make)
    else:

        async def handle(data: int, message: meshmq.AsyncMessage) -> None:
            await message.push("made", data + 100)

        receiver.inner(handle)
    messages = await taken(await (await stage.node("sink")).pull("made"), 50)
    assert [message.data for message in messages] == list(range(100, 150))
    await pusher.flush(LIMIT)


async def test_what_is_made_waits_for_room_and_can_be_given_up(stage: Stage) -> None:
    _, worker = await chain(stage, [1], outbox_jobs=2)
    message = await (await worker.pull("jobs")).receive(LIMIT)
    await push(message, "made", 1)
    await push(message, "made", 2)
    with pytest.raises(meshmq.TimedOut):
        await push(message, "made", 3, timeout=0.05)
    assert (await worker.queue("made")).depth == 2


async def test_what_a_group_gets_can_be_joined(stage: Stage) -> None:
    publisher, member = await stage.pair()
    subscription = await member.subscribe("weather.**", group="log")
    await subscription.ready(LIMIT)
    await publisher.publish("weather.kitchen", 21)
    message = await subscription.receive(LIMIT)
    await push(message, "made", message.data)
    message.ack()
    with pytest.raises(meshmq.TimedOut):
        await publisher.flush(0.05)
    await taken(await publisher.pull("made"), 1)
    await publisher.flush(LIMIT)


async def test_what_is_no_job_of_this_node_cannot_be_joined(stage: Stage) -> None:
    pusher, worker = await chain(stage, [1, 2])
    mine = await (await worker.pull("jobs", prefetch=1)).receive(LIMIT)
    other = await stage.node("other")
    theirs = await (await other.pull("jobs")).receive(LIMIT)
    with pytest.raises(meshmq.ConfigError, match="is no job that this node pulled"):
        await push(mine, "made", 1, also=[theirs])
    subscription = await worker.subscribe("news")
    await subscription.ready(LIMIT)
    await pusher.publish("news", 1)
    heard = await subscription.receive(LIMIT)
    with pytest.raises(meshmq.ConfigError, match="subscribe with group="):
        await push(heard, "made", 1)
    with pytest.raises(meshmq.ConfigError, match="subscribe with group="):
        heard.hold()
    mine.ack()
    with pytest.raises(meshmq.ConfigError, match="was confirmed or given back before"):
        mine.hold()


async def test_what_is_made_of_a_job_that_was_confirmed_before_stands_for_itself(stage: Stage) -> None:
    pusher, worker = await chain(stage, [1])
    receiver = await worker.pull("jobs")
    message = await receiver.receive(LIMIT)
    message.ack()
    await push(message, "made", 1)
    await pusher.flush(LIMIT)
    assert (await worker.queue("made")).depth == 1


def test_the_twins_differ_in_nothing_but_the_await() -> None:
    assert inspect.iscoroutinefunction(meshmq.AsyncMessage.push)
    assert not inspect.iscoroutinefunction(meshmq.Message.push)
