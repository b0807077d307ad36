"""Large values between two nodes, over sockets: what arrives, who may write, and how long it lives."""

from __future__ import annotations

import gc
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meshmq import Node

SIZES = [64 * 1024 - 1, 64 * 1024, 1_000_000, 16_000_000]
LIMIT = 30
NOISE = np.random.default_rng(1).integers(0, 256, SIZES[-1], np.uint8)


def arrays() -> dict[str, Any]:
    """Return one array of each kind, most of them large."""
    grid = NOISE[:1_000_000].view(np.float32).reshape(500, 500)
    record = np.zeros(20_000, [("a", "<i4"), ("b", "<f8")])
    record["a"] = np.arange(20_000)
    return {
        "C": grid,
        "Fortran": np.asfortranarray(grid),
        "every second": NOISE[:400_000:2],
        "backwards": grid[::-1],
        "no dimension": np.array(3.5),
        "empty": np.empty((0, 4)),
        "bool": NOISE[:100_000] > 99,
        "complex": NOISE[:160_000].view(np.int16).astype(np.complex128),
        "records": record,
        "big end": np.arange(50_000, dtype=">i8"),
        "times": np.arange(50_000).astype("M8[s]"),
    }


def same(found: Any, sent: Any) -> bool:
    return (
        type(found) is type(sent)
        and found.dtype == sent.dtype
        and found.shape == sent.shape
        and found.tobytes() == sent.tobytes()
        and not found.flags.writeable
    )


def test_arrays_of_every_kind_arrive_bit_by_bit() -> None:
    sent = arrays()
    with Node("worker") as worker, Node("pusher") as pusher, worker.pull("jobs") as jobs:
        for _ in range(3):
            pusher.push("jobs", sent)
            found = jobs.receive(LIMIT).data
            assert [name for name in sent if not same(found[name], sent[name])] == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, np.array], ids=["bytes", "bytearray", "view", "array"])
def test_every_pattern_carries_every_size(kind: Any) -> None:
    with Node("there") as there, Node("here") as here, there.pull("jobs") as jobs, there.subscribe("news") as news:

        @there.reply("echo")
        def echo(data: object) -> object:
            return data

        here.wait_for(subscribe="news", timeout=LIMIT)
        for size in (*SIZES, *SIZES):
            sent = kind(NOISE[:size] if kind is np.array else NOISE[:size].tobytes())
            here.push("jobs", {"data": sent})
            here.publish("news", sent)
            answer = here.request("echo", [sent], timeout=LIMIT)[0]
            for found in (jobs.receive(LIMIT).data["data"], news.receive(LIMIT).data, answer):
                assert type(found) is type(sent)
                assert bytes(found) == bytes(sent)
                if kind is memoryview:
                    assert found.readonly


def test_the_sender_may_write_when_the_call_has_returned() -> None:
    with Node("worker") as worker, Node("pusher") as pusher:
        array, raw = NOISE[:1_000_000].copy(), bytearray(NOISE[:1_000_000])
        for _ in range(5):  # nobody takes them yet
            pusher.push("jobs", [array, raw, memoryview(raw)])
        array[:] = 0
        raw[:] = bytes(len(raw))
        with worker.pull("jobs") as jobs:
            for _ in range(5):
                for found in jobs.receive(LIMIT).data:
                    assert bytes(found) == NOISE[:1_000_000].tobytes()


def test_large_jobs_that_come_together_are_acked_one_by_one() -> None:
    count, together = 60, 0
    with Node("worker") as worker, Node("pusher") as pusher, worker.pull("jobs") as jobs:
        queue = pusher.queue("jobs", backoff=0.01)
        for turn in range(4):  # the line is known after the first
            queue.push_many([number, NOISE[number : 70_000 + 2 * number]] for number in range(count))
            first, again = list[int](), set[int]()
            while len(first) < count or len(again) < len(range(0, count, 7)):
                message = jobs.receive(LIMIT)
                number, array = message.data
                assert np.array_equal(array, NOISE[number : 70_000 + 2 * number])
                hands = worker._participant.inboxes["jobs"]._hands  # type: ignore[union-attr]  # it is open
                together += any(len(hand.batch.buffers) > 1 for hand in hands)
                if message.attempt > 1:
                    again.add(number)
                else:
                    first.append(number)
                if number % 7 == 0 and message.attempt == 1:
                    message.nack(reason="for this test")
                else:
                    message.ack()
            assert first == list(range(count)), f"out of order in turn {turn}"
            assert again == set(range(0, count, 7))
        pusher.flush(LIMIT)
        assert queue.depth == 0
    assert together


def test_an_array_outlives_its_message_its_receiver_and_its_node() -> None:
    with Node("worker") as worker, Node("pusher") as pusher, worker.pull("jobs") as jobs:
        for _ in range(4):
            pusher.push("jobs", NOISE)
        kept = [jobs.receive(LIMIT).data[7:] for _ in range(4)]
    del jobs, worker, pusher
    gc.collect()
    other = [np.zeros(16_000_000, np.uint8) for _ in range(4)]
    assert all(np.array_equal(array, NOISE[7:]) for array in kept)
    with pytest.raises(ValueError, match=r"read-only|WRITEABLE"):
        kept[0].flags.writeable = True
    del other


def test_a_durable_job_holds_large_values(tmp_path: Path) -> None:
    with Node("pusher", journal=str(tmp_path / "journal")) as pusher:
        pusher.push("jobs", {"array": NOISE[:1_000_000], "raw": NOISE[:100_000].tobytes()}, durable=True)
        del pusher
    with Node("pusher", journal=str(tmp_path / "journal")) as again, again.pull("jobs") as jobs:
        found = jobs.receive(LIMIT).data
        assert np.array_equal(found["array"], NOISE[:1_000_000])
        assert found["raw"] == NOISE[:100_000].tobytes()


def test_history_latest_and_groups_carry_large_values() -> None:
    with Node("here") as here, Node("there") as there:
        here.topic("news", history=3)
        for number in range(3):
            here.publish("news", [number, NOISE[:1_000_000]])
        with (
            there.subscribe("news", since="first") as every,
            there.subscribe("news", latest=True, since="first") as last,
        ):
            assert [every.receive(LIMIT).data[0] for _ in range(3)] == [0, 1, 2]
            assert np.array_equal(last.receive(LIMIT).data[1], NOISE[:1_000_000])
        with there.subscribe("news", group="billing") as group:
            here.wait_for(subscribe="news", timeout=LIMIT)
            group.ready(LIMIT)
            here.publish("news", [3, NOISE[:1_000_000]])
            assert np.array_equal(group.receive(LIMIT).data[1], NOISE[:1_000_000])


@pytest.mark.timeout(180)
def test_two_hundred_large_arrays_leave_no_memory_behind() -> None:
    with Node("worker") as worker, Node("pusher") as pusher, worker.pull("jobs") as jobs:

        def carry(count: int) -> int:
            for number in range(count):
                pusher.push("jobs", NOISE)
                assert jobs.receive(LIMIT).data[number] == NOISE[number]
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        before = carry(20)
        assert carry(200) < before + 100_000  # kilobytes: six of them


@pytest.mark.parametrize("verb", ["push", "push_many", "publish", "request"])
def test_what_is_given_away_is_read_only_and_arrives(verb: str) -> None:
    with Node("there") as there, Node("here") as here, there.pull("jobs") as jobs, there.subscribe("news") as news:
        there.reply("echo")(lambda data: data)
        here.wait_for(subscribe="news", timeout=LIMIT)
        for size in (1000, *SIZES):
            array, large = NOISE[:size].copy(), size >= SIZES[1]
            if verb == "push":
                here.push("jobs", array, copy=False)
            elif verb == "push_many":
                here.queue("jobs").push_many([array], copy=False)
            elif verb == "publish":
                here.publish("news", array, copy=False)
            found = (
                here.request("echo", array, copy=False, timeout=LIMIT)
                if verb == "request"
                else (news if verb == "publish" else jobs).receive(LIMIT).data
            )
            assert np.array_equal(found, NOISE[:size])
            assert array.flags.writeable is not large
