"""What pushing does and when it waits, on both faces."""

from __future__ import annotations

import asyncio
import logging
import time
from enum import StrEnum
from typing import Any

import pytest

import meshmq
from tests.faces.stage import Actor, Stage, acked, soon, taken


async def test_node_pulls_its_own_queue(stage: Stage) -> None:
    node = await stage.node("alone")
    await (await node.queue("jobs")).push_many(range(50))
    got = [(message.data, message.sender) for message in await taken(await node.pull("jobs"), 50)]
    assert got == [(number, "alone") for number in range(50)]
    await node.flush(10)


async def test_data_is_copied_before_push_returns(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    data: dict[str, Any] = {"list": [1, 2], "bytes": bytearray(b"before")}
    await pusher.push("jobs", data)
    data["list"].append(3)
    data["bytes"][:] = b"after!"
    receiver = await worker.pull("jobs")
    assert (await receiver.receive(10)).data == {"list": [1, 2], "bytes": b"before"}


async def test_array_is_copied_and_comes_back_equal(stage: Stage) -> None:
    numpy = pytest.importorskip("numpy")
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    sent = numpy.arange(300_000, dtype="f4").reshape(300, 1_000)
    for data in ({"big": sent, "small": sent[:2, ::2]}, sent[::3], numpy.float32(1.5)):
        await pusher.push("jobs", data)
    kept = sent.copy()
    sent[:] = 0
    first = (await receiver.receive(10)).data
    assert numpy.array_equal(first["big"], kept)
    assert numpy.array_equal(first["small"], kept[:2, ::2])
    assert numpy.array_equal((await receiver.receive(10)).data, kept[::3])
    assert (await receiver.receive(10)).data == 1.5


async def test_what_cannot_be_encoded_is_refused_with_its_path_and_pushes_nothing(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    with pytest.raises(meshmq.EncodeError) as told:
        await pusher.push("jobs", {"a": [1, object()]})
    assert told.value.path == 'data["a"][1]'
    with pytest.raises(meshmq.EncodeError, match="headers"):
        await pusher.push("jobs", 1, headers={"n": 1})
    with pytest.raises(meshmq.EncodeError):
        await (await pusher.queue("jobs")).push_many([1, 2, object(), 3])
    await pusher.push("jobs", "last")
    assert [message.data for message in await taken(await worker.pull("jobs"), 3)] == [1, 2, "last"]


class Name(StrEnum):
    JOBS = "jobs"


async def test_name_may_be_a_kind_of_str(stage: Stage) -> None:
    pusher, worker = await stage.node("pusher"), await stage.node(Name.JOBS)
    receiver = await worker.pull(Name.JOBS)
    await pusher.wait_for(pull=Name.JOBS, timeout=10)
    for number in range(3):
        await pusher.push(Name.JOBS, number)
    assert [message.queue for message in await taken(receiver, 3)] == ["jobs"] * 3
    assert {type(name) for name in (*(await pusher.stats())["queues"], worker.name)} == {str}


async def test_message_over_the_limit_is_refused_at_the_call(stage: Stage) -> None:
    pusher = await stage.node("pusher", message_bytes=1_000)
    with pytest.raises(meshmq.MessageTooLarge, match="1,000"):
        await pusher.push("jobs", bytes(2_000))
    assert (await pusher.queue("jobs")).depth == 0


@pytest.mark.parametrize("name", ["", "a b", ".a", "a" * 300, 7])
async def test_name_that_cannot_be_one_is_refused(stage: Stage, name: object) -> None:
    node = await stage.node("node")
    for call in (node.pull, node.queue):
        with pytest.raises(meshmq.NameInvalid):
            await call(name)
    with pytest.raises(meshmq.NameInvalid):
        await node.push(name, 1)


async def test_push_into_a_full_outbox_times_out_and_has_pushed_nothing(stage: Stage) -> None:
    pusher, worker = await stage.pair(outbox_jobs=3)
    queue = await pusher.queue("jobs")
    assert await queue.push_many(range(3), timeout=0) == 3
    for timeout in (0, 0.05):
        begun = time.monotonic()
        with pytest.raises(meshmq.TimedOut, match="queue 'jobs' is full at 3; nobody pulls it"):
            await pusher.push("jobs", 3, timeout=timeout)
        assert timeout <= time.monotonic() - begun < timeout + 5
    receiver = await worker.pull("jobs")
    assert [message.data for message in await taken(receiver, 3)] == [0, 1, 2]
    await queue.flush(10)
    await queue.push(4, timeout=0)
    assert [message.data for message in await taken(receiver, 1)] == [4]


async def test_push_into_a_full_outbox_waits_for_a_living_worker(stage: Stage) -> None:
    pusher, worker = await stage.pair(outbox_jobs=3, patience=0.1)
    receiver = await worker.pull("jobs")
    with pytest.raises(meshmq.TimedOut):
        await receiver.receive(0.01)
    await pusher.wait_for(pull="jobs", timeout=10)
    await (await pusher.queue("jobs")).push_many(range(3))
    # Longer than patience: somebody pulls it, so this is back-pressure and no failure.
    waiting = asyncio.create_task(pusher.push("jobs", 3))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    got = [(await receiver.receive(10)).data for _ in range(4)]
    await waiting
    assert got == [0, 1, 2, 3]


async def test_push_is_full_in_bytes_too_and_lets_one_large_job_in_alone(stage: Stage) -> None:
    pusher = await stage.node("pusher", outbox_bytes=10_000)
    await pusher.push("jobs", bytes(50_000), timeout=0)
    with pytest.raises(meshmq.TimedOut):
        await pusher.push("jobs", b"", timeout=0)
    await pusher.push("others", b"", timeout=0)


async def test_full_outbox_that_nobody_pulls_raises_after_patience(stage: Stage) -> None:
    pusher = await stage.node("pusher", outbox_jobs=1, patience=0.2)
    await pusher.push("job", 1)
    begun = time.monotonic()
    with pytest.raises(meshmq.NoPeersError, match=r"nobody has pulled 'job' for 0\.2 s"):
        await pusher.push("job", 2)
    assert 0.2 <= time.monotonic() - begun < 10


async def test_who_waits_says_for_what(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "meshmq.waiting")
    pusher, worker = await stage.pair(outbox_jobs=1, first_word=0.05, patience=60)
    await worker.pull("jobs")
    await pusher.wait_for(pull="jobs", timeout=10)
    await pusher.push("job", 1)
    with pytest.raises(meshmq.TimedOut):
        await pusher.push("job", 2, timeout=0.5)
    with pytest.raises(meshmq.TimedOut):
        await pusher.flush(0.5)
    words = [record.getMessage() for record in caplog.records if record.name == "meshmq.waiting"]
    assert "waiting for 0 s: queue 'job' is full at 1; nobody pulls it; peers pull: jobs" in words
    assert "waiting for 0 s: acks of 1 job of 'job'; peers pull: jobs" in words


async def test_flush_waits_for_acks_of_its_queue_alone(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await pusher.push("jobs", 1)
    await pusher.push("others", 1)
    receiver = await worker.pull("jobs")
    (await receiver.receive(10)).ack()
    await (await pusher.queue("jobs")).flush(10)
    others = await pusher.queue("others")
    with pytest.raises(meshmq.TimedOut, match="1 job of 'others'"):
        await others.flush(0.05)
    assert others.depth == 1


async def test_large_value_does_not_hold_up_small_jobs(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    small = await worker.pull("small")
    large = await worker.pull("large")
    await pusher.wait_for(pull="small", timeout=10)
    await pusher.push("large", bytes(20_000_000))
    waits = []
    for number in range(50):
        begun = time.monotonic()
        await pusher.push("small", number)
        message = await small.receive(10)
        assert message.data == number
        waits.append(time.monotonic() - begun)
    assert len((await large.receive(20)).data) == 20_000_000
    assert max(waits) < 1.0


async def test_large_job_keeps_its_place_among_small_ones(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs", prefetch=100)
    with pytest.raises(meshmq.TimedOut):
        await receiver.receive(0)
    await pusher.wait_for(pull="jobs", timeout=10)
    sizes = [5_000_000 if number % 5 == 0 else number for number in range(20)]
    await (await pusher.queue("jobs")).push_many(map(bytes, sizes))
    assert [len((await receiver.receive(10)).data) for _ in sizes] == sizes


async def test_job_that_cannot_be_decoded_is_refused_and_counted_and_the_next_one_comes(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    await pusher.push("jobs", "good")
    engine, participant = pusher.inner._opened()
    with engine.gate:
        participant.push("jobs", b"\xc1 no value", (), None, engine.now())
        engine.flush()
    await pusher.push("jobs", "better")
    assert [(await receiver.receive(10)).data for _ in range(2)] == ["good", "better"]
    with pytest.raises(meshmq.TimedOut):
        await receiver.receive(0)
    await pusher.flush(10)
    pushed = (await pusher.stats())["queues"]["jobs"]["push"]
    pulled = (await worker.stats())["queues"]["jobs"]["pull"]
    assert (pushed["acked"], pushed["depth"], pushed["dead"]) == (2, 0, 1)
    assert (pulled["done"], pulled["dropped"]) == (2, {"expired": 0, "rejected": 1})

    async def both_said() -> bool:  # the pusher's keeper logs when it has given back the lock
        said = [record.getMessage() for record in caplog.records if record.name == "meshmq.jobs"]
        wanted = ("cannot be decoded and is refused", "is a dead letter now: a worker cannot decode it")
        return all(any(words in sentence for sentence in said) for words in wanted)

    await soon(both_said)


async def test_closed_node_says_so_at_every_verb(stage: Stage) -> None:
    node = await stage.node("node")
    queue = await node.queue("jobs")
    await node.close()
    for call in (node.stats, node.peers, node.flush, node.settle, queue.flush, queue.pull):
        with pytest.raises(meshmq.ClosedError):
            await call()
    with pytest.raises(meshmq.ClosedError):
        await queue.push(1)
    assert "closed" in repr(node)
    await node.close()


async def test_leaving_says_what_is_left_and_what_helps(stage: Stage) -> None:
    pusher = await stage.node("pusher", drain=0.1)
    await (await pusher.queue("jobs")).push_many(range(3))
    with pytest.raises(meshmq.Undelivered, match="3") as left:
        await pusher.close()
    assert left.value.queues == {"jobs": (3, 0)}


async def test_leaving_waits_until_a_worker_has_done_everything(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await (await pusher.queue("jobs")).push_many(range(20))
    closing = asyncio.create_task(pusher.close())
    assert [message.data for message in await taken(await worker.pull("jobs"), 20)] == list(range(20))
    await closing


async def has_acked(pusher: Actor, count: int) -> bool:
    return await acked(pusher) == count


async def test_stats_of_both_ends_agree_at_rest(stage: Stage) -> None:
    pusher, worker = await stage.pair(backoff=0.01)
    other = await stage.node("other")
    await (await pusher.queue("jobs")).push_many(range(300))
    await (await other.queue("jobs")).push_many(range(200))
    refused = seen = 0
    async for message in await worker.pull("jobs"):
        seen += 1
        if message.data == 50 and message.attempt == 1:
            message.nack()
            refused += 1
        if seen == 502:
            message.ack()
            break
    await soon(lambda: has_acked(pusher, 300))
    await soon(lambda: has_acked(other, 200))
    ends = [(await node.stats())["queues"]["jobs"]["push"] for node in (pusher, other)]
    pulled = (await worker.stats())["queues"]["jobs"]["pull"]
    for end in ends:
        assert end["pushed"] == end["acked"] + end["depth"]
        assert end["depth"] == end["waiting"] == end["in_flight"] == end["bytes"] == 0
        assert end["redelivered"] == end["refused"] == 1
    assert pulled["done"] == sum(end["acked"] for end in ends) == 500
    assert pulled["refused"] == refused == sum(end["refused"] for end in ends)
    assert pulled["received"] == pulled["done"] + pulled["refused"] + pulled["returned"] + pulled["repeats"]
    assert pulled["returned"] == sum(end["returned"] for end in ends)
    assert pulled["waiting"] == 0
