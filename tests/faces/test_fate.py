"""What the pusher says becomes of a job, on both faces."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import meshmq
from tests.faces.stage import Stage, soon, taken


async def test_a_poisonous_job_is_a_dead_letter_with_its_reason_and_may_be_tried_again(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    queue = await pusher.queue("jobs", max_attempts=3, backoff=0.001)
    done: list[Any] = []
    cured = False

    def work(data: object, message: meshmq.Message) -> None:
        if data == "poison" and not cured:
            raise ValueError("it is poison")
        done.append((data, message.redelivered))

    assert (await worker.pull("jobs")).inner(handler := work) is handler
    await queue.push("poison", headers={"from": "here"}, key="k")
    await queue.push_many(range(20))
    await queue.flush(10)
    letters = queue.dead
    (letter,) = letters
    assert (letter.data, letter.queue, letter.headers, letter.key) == ("poison", "jobs", {"from": "here"}, "k")
    assert (letter.failures, letter.reason) == (3, "failed 3 times; the last: ValueError: it is poison")
    assert abs(datetime.now(UTC) - letter.died) < timedelta(seconds=30)
    assert letter.pushed <= letter.died
    assert letter.id in repr(letter)
    assert repr(letters) == "<1 dead letter of 'jobs'>"
    assert sorted(data for data, _ in done) == list(range(20))
    with pytest.raises(meshmq.ConfigError, match="no dead letter"):
        letters.retry("nonsense")
    cured = True
    assert letters.retry(letter.id) == 1
    await queue.flush(10)
    assert done[-1] == ("poison", True)
    assert len(letters) == 0
    pushed = (await pusher.stats())["queues"]["jobs"]["push"]
    assert (pushed["pushed"], pushed["acked"], pushed["died"], pushed["dead"]) == (21, 21, 1, 0)


async def test_any_text_of_an_exception_is_a_reason_and_nothing_else_is_one(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    queue = await pusher.queue("jobs", max_attempts=1)

    def work(data: object) -> None:
        raise FileNotFoundError("caf\udce9.txt")

    assert (await worker.pull("jobs")).inner(handler := work) is handler
    await queue.push(1)
    await queue.flush(10)
    assert queue.dead.list()[0].reason == r"failed 1 time; the last: FileNotFoundError: caf\udce9.txt"
    await pusher.push("others", 2)
    message = await (await worker.pull("others")).receive(10)
    with pytest.raises(meshmq.ConfigError, match="it is a text"):
        message.nack(reason=42)
    message.ack()
    await pusher.flush(10)


async def test_what_a_worker_rejects_is_a_dead_letter_at_once(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    queue = await pusher.queue("jobs")  # without max_attempts=: a nack would never end it
    receiver = await worker.pull("jobs")
    await queue.push_many(["hopeless", "good", "held", "odd"])
    (await receiver.receive(10)).reject(reason="550 nobody of that name")
    (await receiver.receive(10)).ack()
    held = await receiver.receive(10)
    held.hold()
    odd = await receiver.receive(10)
    with pytest.raises(meshmq.ConfigError, match="it is a text"):
        odd.reject(reason=550)
    odd.reject()
    odd.ack()  # a second word
    held.reject(reason="late")
    await queue.flush(10)
    told = {letter.data: letter.reason for letter in queue.dead}
    assert told == {"hopeless": "550 nobody of that name", "odd": "it was rejected", "held": "late"}
    assert queue.dead.retry() == 3
    assert {(await receiver.receive(10)).redelivered for _ in range(3)} == {True}
    await receiver.close()
    pushed = (await pusher.stats())["queues"]["jobs"]["push"]
    pulled = (await worker.stats())["queues"]["jobs"]["pull"]
    assert (pushed["died"], pushed["refused"]) == (3, 0)
    assert pulled["dropped"] == {"expired": 0, "rejected": 3}


async def test_dead_letters_are_dropped_one_by_one_or_all(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    queue = await pusher.queue("jobs", max_attempts=1)
    receiver = await worker.pull("jobs")
    await queue.push_many(range(5))
    for _ in range(5):
        (await receiver.receive(10)).nack(reason="no")
    await queue.flush(10)
    first = queue.dead.list()[0]
    assert queue.dead.show(first.id).data == first.data
    assert (queue.dead.drop(first.id), len(queue.dead), queue.dead.drop(), len(queue.dead)) == (1, 4, 4, 0)


async def test_a_receipt_tells_how_its_job_ends(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    done = await pusher.push("jobs", 1, receipt=True)
    dead = await pusher.push("jobs", 2, receipt=True, max_attempts=1)
    late = await pusher.push("nobody", 3, receipt=True, ttl=0.05)
    assert repr(done) == f"<{type(done.inner).__name__} of a job of 'jobs': open>"
    with pytest.raises(meshmq.TimedOut):
        await done.wait(0)
    receiver = await worker.pull("jobs")
    for _ in range(2):
        message = await receiver.receive(10)
        message.ack() if message.data == 1 else message.nack(reason="no")
    assert [await one.wait(10) for one in (done, dead, late)] == ["done", "dead", "expired"]
    assert (dead.reason, done.reason) == ("failed 1 time; the last: no", "")
    await pusher.close()
    assert await done.wait(0) == "done", "it is known, also when the node is closed"


async def test_a_receipt_of_a_job_that_is_left_says_that_the_node_is_closed(stage: Stage) -> None:
    pusher = await stage.node("pusher")
    receipt = await pusher.push("nobody", 1, receipt=True)
    with pytest.raises(meshmq.Undelivered):
        await pusher.close(0)
    with pytest.raises(meshmq.ClosedError):
        await receipt.wait(10)
    assert receipt.outcome is None


async def test_a_delayed_job_comes_at_its_moment(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    receiver = await worker.pull("jobs")
    began = time.monotonic()
    await pusher.push("jobs", "in a while", delay=0.4)
    await pusher.push("jobs", "by the clock", at=datetime.now(UTC) + timedelta(seconds=0.2))
    await pusher.push("jobs", "in the past", at=time.time() - 60)
    await pusher.push("jobs", "now")
    arrived = [(message.data, time.monotonic() - began) for message in await taken(receiver, 4)]
    assert {data for data, _ in arrived[:2]} == {"now", "in the past"}
    assert [data for data, _ in arrived[2:]] == ["by the clock", "in a while"]
    assert arrived[2][1] >= 0.19
    assert arrived[3][1] >= 0.4


async def test_the_highest_priority_comes_first(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    urgent = await pusher.queue("jobs", priority=9)
    for number in range(3):
        await pusher.push("jobs", ("later", number))
        await urgent.push(("first", number))
    waiting = (await pusher.stats())["queues"]["jobs"]["push"]["priorities"]
    assert {level: told["waiting"] for level, told in waiting.items()} == {9: 3, 0: 3}
    got = [message.data for message in await taken(await worker.pull("jobs", prefetch=1), 6)]
    assert got == [(word, number) for word in ("first", "later") for number in range(3)]


async def test_a_job_is_lost_to_who_neither_finishes_nor_extends_in_its_lease(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    slow = await worker.pull("jobs", prefetch=1)
    await pusher.push("jobs", "job", lease=1.0)
    first = await slow.receive(10)
    helper = await stage.node("helper")
    again = await (await helper.pull("jobs")).receive(10)
    assert (first.attempt, again.attempt, again.id) == (1, 2, first.id)
    first.ack()  # too late: it counts no more
    assert (await pusher.queue("jobs")).depth == 1
    again.ack()
    await pusher.flush(10)
    assert (await pusher.stats())["queues"]["jobs"]["push"]["overdue"] == 1
    assert (await worker.stats())["queues"]["jobs"]["pull"]["overdue"] == 1


async def test_who_extends_keeps_its_job(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await pusher.push("jobs", "job")
    receiver = await worker.pull("jobs", lease=1.0)
    message = await receiver.receive(10)
    until = time.monotonic() + 2.0

    async def extended_for_long() -> bool:
        message.extend()
        return time.monotonic() >= until

    await soon(extended_for_long)
    message.ack()
    await pusher.flush(10)
    pushed = (await pusher.stats())["queues"]["jobs"]["push"]
    assert (pushed["acked"], pushed["overdue"], pushed["redelivered"]) == (1, 0, 0)


async def test_jobs_of_one_key_are_done_in_order_however_many_are_at_work(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    other = await stage.node("other")
    began: list[tuple[str, str, int]] = []
    failed: set[int] = set()

    def working(name: str) -> Any:
        def work(data: Any) -> None:
            key, number = data
            if number % 7 == 3 and number not in failed:
                failed.add(number)
                raise ValueError("once")
            began.append((name, key, number))

        return work

    for node, name in ((worker, "worker"), (other, "other")):
        assert (await node.pull("jobs", concurrency=4)).inner(handler := working(name)) is handler
    await pusher.wait_for(pull="jobs", count=2, timeout=10)
    queue = await pusher.queue("jobs", backoff=0.01)
    keys = 30  # whose each is goes by the nodes' random ids: with 10 all were one's in one run of 512
    for number in range(10 * keys):
        await queue.push((f"key-{number % keys}", number), key=f"key-{number % keys}")
    await queue.flush(20)
    for key in range(keys):
        mine = [(name, number) for name, of, number in began if of == f"key-{key}"]
        assert [number for _, number in mine] == list(range(key, 10 * keys, keys))
        assert len({name for name, _ in mine}) == 1
    assert {name for name, _, _ in began} == {"worker", "other"}


async def test_a_repeat_of_an_id_is_refused_within_its_window(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    await pusher.push("jobs", 1, unique="order-17", unique_window=1.0)
    with pytest.raises(meshmq.NotUnique, match=r"'order-17' was pushed to 'jobs' before") as told:
        await pusher.push("jobs", 2, unique="order-17")
    assert 0 < told.value.left <= 1.0
    await pusher.push("others", 3, unique="order-17")

    async def pushed() -> bool:
        with suppress(meshmq.NotUnique):
            await pusher.push("jobs", 4, unique="order-17")
            return True
        return False

    await soon(pushed)
    assert [message.data for message in await taken(await worker.pull("jobs"), 2)] == [1, 4]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_attempts": 0}, "max_attempts=0"),
        ({"max_attempts": 1.5}, r"max_attempts=1\.5"),
        ({"priority": 10}, "from 0 to 9"),
        ({"priority": True}, "priority=True"),
        ({"lease": 0}, "lease=0"),
        ({"ttl": float("nan")}, "ttl=nan"),
        ({"backoff": (3, 2)}, "longer than the longest"),
        ({"backoff": [1]}, "backoff"),
        ({"delay": -1}, "delay=-1"),
        ({"at": datetime(2026, 1, 1)}, "with its zone"),  # a naive one is what is tested
        ({"at": 1.0, "delay": 1.0}, "one of them"),
        ({"key": ""}, "key=''"),
        ({"key": "k", "delay": 1}, "key="),
        ({"key": "k", "to": "somebody"}, "key="),
        ({"unique": 17}, "unique=17"),
        ({"unique": "\ud800"}, "surrogate"),
        ({"unique_window": 0, "unique": "a"}, "unique_window=0"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
async def test_an_option_that_cannot_be_used_is_refused_and_nothing_is_pushed(
    stage: Stage, options: dict[str, Any], words: str
) -> None:
    pusher = await stage.node("pusher")
    with pytest.raises(meshmq.ConfigError, match=words):
        await pusher.push("jobs", 1, **options)
    assert (await pusher.queue("jobs")).depth == 0
