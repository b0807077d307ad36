"""Acks, nacks, and what a message knows of itself, on both faces."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

import meshmq
from tests.faces.stage import Actor, Stage, acked, soon


async def test_message_left_well_is_acked_at_once(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    with await receiver.receive(10):
        pass
    await pusher.flush(10)


async def test_message_left_by_exception_is_nacked_and_comes_again(stage: Stage) -> None:
    pusher, worker = await stage.pair(backoff=0.01)
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    message = await receiver.receive(10)
    with pytest.raises(RuntimeError, match="told"), message:
        raise RuntimeError("told")
    again = await receiver.receive(10)
    assert (again.data, again.attempt, again.redelivered) == (1, 2, True)
    assert again.id == message.id
    again.ack()
    await pusher.flush(10)
    stats = (await pusher.stats())["queues"]["jobs"]["push"]
    assert (stats["refused"], stats["redelivered"], stats["acked"]) == (1, 1, 1)


async def test_exception_in_a_loop_with_messages_as_contexts_stops_nothing(stage: Stage) -> None:
    pusher, worker = await stage.pair(backoff=0.01)
    await (await pusher.queue("jobs")).push_many(range(20))
    attempts: dict[object, list[int]] = {}
    async for message in await worker.pull("jobs"):
        with suppress(RuntimeError), message:
            attempts.setdefault(message.data, []).append(message.attempt)
            if message.data in (3, 7) and message.attempt < 3:
                raise RuntimeError
        if sum(map(len, attempts.values())) == 24:
            break
    await pusher.flush(10)
    assert {data for data, tries in attempts.items() if tries == [1]} == set(range(20)) - {3, 7}
    assert attempts[3] == attempts[7] == [1, 2, 3]


async def test_explicit_ack_is_told_before_the_next_is_asked_for(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    (await receiver.receive(10)).ack()
    await pusher.flush(10)


async def test_second_word_on_a_message_is_ignored(stage: Stage) -> None:
    pusher, worker = await stage.pair(backoff=0.01)
    receiver = await worker.pull("jobs")
    await (await pusher.queue("jobs")).push_many([1, 2, 3])
    first = await receiver.receive(10)
    first.ack()
    first.nack()
    second = await receiver.receive(10)
    second.nack(0.05)
    second.ack()
    third = await receiver.receive(10)
    first.nack()
    again = await receiver.receive(10)
    third.nack()
    assert (third.data, again.data, again.attempt) == (3, 2, 2)
    again.ack()
    await pusher.flush(10)
    stats = (await pusher.stats())["queues"]["jobs"]["push"]
    assert (stats["acked"], stats["refused"]) == (3, 1)


async def test_nacked_job_pauses_as_long_as_told_and_holds_up_no_other(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    await (await pusher.queue("jobs")).push_many([1, 2])
    nacked_at = time.monotonic()
    (await receiver.receive(10)).nack(0.3)
    assert (await receiver.receive(10)).data == 2
    again = await receiver.receive(10)
    assert (again.data, again.attempt) == (1, 2)
    assert time.monotonic() - nacked_at >= 0.3


async def test_nacked_job_comes_again_later_each_time(stage: Stage) -> None:
    pusher, worker = await stage.pair(backoff=0.02)
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    begun = time.monotonic()
    for attempt in range(1, 6):
        message = await receiver.receive(10)
        assert message.attempt == attempt
        message.nack()
    # Half of each pause is jitter: 0.02 + 0.04 + 0.08 + 0.16 at most, half of it at least.
    assert time.monotonic() - begun >= 0.15


@pytest.mark.parametrize("delay", [-1, "1", float("nan"), float("inf")])
async def test_delay_that_is_no_span_is_refused_and_nothing_said(stage: Stage, delay: object) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    message = await receiver.receive(10)
    with pytest.raises(meshmq.ConfigError, match="delay"):
        message.nack(delay)
    message.ack()
    await pusher.flush(10)


async def test_word_on_a_message_of_a_closed_receiver_is_ignored(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    message = await receiver.receive(10)
    await receiver.close()
    other = await worker.pull("jobs")
    again = await other.receive(10)
    message.nack()
    message.ack()
    assert (again.data, again.attempt) == (1, 2)
    again.ack()
    await pusher.flush(10)


async def test_word_on_a_message_of_a_closed_node_is_ignored(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", 1)
    message = await receiver.receive(10)
    await worker.close()
    message.ack()
    message.nack()
    message.extend()
    assert message.data == 1
    assert message.sender == "pusher"


async def test_message_tells_where_it_comes_from(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", {"n": 1}, headers={"trace": "abc", "ü": "ß"})
    await pusher.push("jobs", {"n": 2})
    first, second = await receiver.receive(10), await receiver.receive(10)
    assert (first.queue, first.sender, first.attempt, first.redelivered) == ("jobs", "pusher", 1, False)
    assert first.headers == {"trace": "abc", "ü": "ß"}
    assert second.headers == {}
    assert (first.seq, second.seq) == (1, 2)
    assert first.id != second.id
    assert repr(second) == "<Message 2 of 'jobs' from pusher>"
    first.headers["trace"] = "changed"
    assert first.headers["trace"] == "abc"


async def test_age_counts_the_time_in_the_senders_hands(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    pushed_at = time.monotonic()
    await pusher.push("jobs", 1)
    with pytest.raises(meshmq.TimedOut):
        await pusher.flush(0.2)
    receiver = await worker.pull("jobs")
    message = await receiver.receive(10)
    age, most = message.age, time.monotonic() - pushed_at
    assert 0.2 <= age <= most + 0.1
    assert message.age >= age


async def test_id_is_the_same_in_every_delivery_and_worker(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    other = await stage.node("other")
    await pusher.push("jobs", 1)
    async with await worker.pull("jobs") as receiver:
        message = await receiver.receive(10)
        await receiver.close()
    async with await other.pull("jobs") as receiver:
        again = await receiver.receive(10)
        assert (again.id, again.seq, again.attempt) == (message.id, message.seq, 2)
    await soon(lambda: has_acked(pusher, 1))


async def has_acked(pusher: Actor, count: int) -> bool:
    return await acked(pusher) == count


async def test_job_acked_on_arrival_is_not_given_back(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs", ack="receipt")
    await pusher.push("jobs", 1)
    message = await receiver.receive(10)
    await pusher.flush(10)
    message.nack()
    await receiver.close()
    assert (await pusher.stats())["queues"]["jobs"]["push"]["depth"] == 0


async def test_ack_that_is_no_word_of_ours_is_refused(stage: Stage) -> None:
    _, worker = await stage.pair()
    with pytest.raises(meshmq.ConfigError, match="receipt"):
        await worker.pull("jobs", ack="never")
