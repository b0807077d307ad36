"""What is asked of a node that is not open yet is remembered, and takes effect when it opens, on both faces."""

from __future__ import annotations

import gc

import pytest

import meshmq
from tests.faces.stage import Stage, taken


async def test_pull_on_a_node_that_is_not_open_opens_nothing(stage: Stage) -> None:
    node = stage.unopened("worker")
    receiver = await node.pull("jobs")
    assert node.addresses == ()
    assert len(receiver) == 0
    assert "queue 'jobs', 0 waiting here" in repr(receiver)
    assert "not opened" in repr(node)


async def test_what_was_remembered_takes_effect_when_the_node_opens(stage: Stage) -> None:
    pusher, worker = await stage.node("pusher"), stage.unopened("worker")
    first, second = await worker.pull("jobs"), await worker.pull("others")
    await worker.open()
    assert set(worker.inner._participant.presence.card.pulls) == {"jobs", "others"}
    await pusher.push("jobs", 1)
    await pusher.push("others", 2)
    assert (await first.receive(10)).data == 1
    assert (await second.receive(10)).data == 2


async def test_first_use_of_a_receiver_opens_its_node(stage: Stage) -> None:
    pusher, worker = await stage.node("pusher"), stage.unopened("worker")
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    assert [message.data for message in await taken(receiver, 1)] == [1]
    assert worker.addresses


async def test_receiver_closed_before_its_node_opened_pulls_nothing(stage: Stage) -> None:
    worker = stage.unopened("worker")
    receiver, other = await worker.pull("jobs"), await worker.pull("others")
    await receiver.close()
    assert "closed" in repr(receiver)
    assert [message async for message in receiver] == []
    with pytest.raises(meshmq.ClosedError):
        await receiver.receive(0)
    assert worker.addresses == ()
    await worker.open()
    assert worker.inner._participant.presence.card.pulls == ("others",)
    await other.close()


async def test_queue_is_pulled_though_its_receiver_was_dropped_before_the_node_opened(stage: Stage) -> None:
    worker = stage.unopened("worker")
    await worker.pull("jobs")
    gc.collect()
    await worker.open()
    assert worker.inner._participant.presence.card.pulls == ("jobs",)


async def test_receivers_of_a_node_that_was_closed_unopened_end(stage: Stage) -> None:
    worker = stage.unopened("worker")
    receiver = await worker.pull("jobs")
    await worker.close()
    assert [message async for message in receiver] == []
    with pytest.raises(meshmq.ClosedError):
        await receiver.receive(0)
    with pytest.raises(meshmq.ClosedError):
        await worker.pull("jobs")


async def test_what_cannot_be_is_refused_at_the_call_though_the_node_is_not_open(stage: Stage) -> None:
    worker = stage.unopened("worker")
    for queue, options in (("a b", {}), ("jobs", {"prefetch": 0}), ("jobs", {"ack": "no"}), ("jobs", {"idle": -1})):
        with pytest.raises(meshmq.ConfigError):
            await worker.pull(queue, **options)
    assert worker.addresses == ()


async def test_node_that_is_being_closed_takes_no_receiver_more(stage: Stage) -> None:
    node = await stage.node("alone")
    await node.push("jobs", 1)
    node.inner._begin_to_leave()
    with pytest.raises(meshmq.ClosedError, match="takes nothing more"):
        await node.pull("jobs")
