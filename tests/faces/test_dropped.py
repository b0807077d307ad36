"""A receiver that is dropped without being closed: it is forgotten, and what it handed out is not."""

from __future__ import annotations

import gc

from tests.faces.stage import Actor, Stage, acked, soon


async def test_receivers_that_were_only_iterated_are_forgotten(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    for number in range(20):
        await pusher.push("jobs", number)
        async for message in await worker.pull("jobs"):
            message.ack()
            break
        del message
    await soon(lambda: has_nobody_who_pulls(worker))  # a thread of the stage may still hold the last
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", 20)
    assert (await receiver.receive(10)).data == 20
    await receiver.close()
    await soon(lambda: pulls_nothing(worker))


async def test_message_outlives_the_receiver_it_came_from(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await pusher.push("jobs", 1)
    message = await (await worker.pull("jobs")).receive(10)
    await (await worker.pull("jobs")).close()
    gc.collect()
    message.ack()
    await pusher.flush(10)
    assert await acked(pusher) == 1
    assert message.attempt == 1
    assert (await worker.stats())["queues"]["jobs"]["pull"]["returned"] == 0


async def has_nobody_who_pulls(worker: Actor) -> bool:
    gc.collect()
    return not worker.inner._receivers["inbox", "jobs"] and not worker.inner._takers


async def pulls_nothing(worker: Actor) -> bool:
    return not worker.inner._participant.presence.card.pulls
