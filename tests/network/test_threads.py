"""Many threads, several loops, one node: every call from anywhere, and nobody stalls anybody."""

from __future__ import annotations

import gc
import os
import queue
import statistics
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

import meshmq
from meshmq.errors import ClosedError
from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.scale import scale

PUSHES: Final = scale(500, 10_000)
CYCLES: Final = scale(50, 200)
THREADS: Final = 16


def take(jobs: meshmq.Receiver[meshmq.Message]) -> None:
    jobs.receive(LIMIT).ack()


@pytest.mark.parametrize("worked", [True, False], ids=["with a worker", "with nobody"])
@pytest.mark.parametrize("hard", [None, 0.0], ids=["close()", "close(0)"])
@pytest.mark.timeout(300)
def test_every_push_beside_a_close_succeeds_or_raises_and_is_accounted_for(
    mesh_name: str, worked: bool, hard: float | None
) -> None:
    settings = meshmq.Settings(drain=0.3, outbox_jobs=THREADS * PUSHES // 4)
    node = meshmq.Node("pusher", mesh=mesh_name, settings=settings)
    node.open()
    succeeded = [0] * THREADS
    wrong: list[BaseException] = []
    enough = threading.Event()

    def push(thread: int) -> None:
        try:
            for number in range(PUSHES):
                node.push(f"jobs-{thread % 3}", number)
                succeeded[thread] += 1
                if thread == 0 and number == PUSHES // 4:
                    enough.set()
        except ClosedError:
            pass
        except BaseException as error:
            wrong.append(error)
        enough.set()

    done: list[int] = []
    closed = threading.Event()
    worker = threading.Thread(target=work, args=(mesh_name, done, closed)) if worked else None
    threads = [threading.Thread(target=push, args=(thread,)) for thread in range(THREADS)]
    if worker is not None:
        worker.start()
        node.wait_for(pull="jobs-2", timeout=LIMIT)
    for each in threads:
        each.start()
    assert enough.wait(LIMIT)
    left = leave(node, hard)
    closed.set()
    for each in (*threads, *([worker] if worker else [])):
        each.join(60)
    assert not wrong
    with pytest.raises(ClosedError):
        node.push("jobs-0", 0)
    outboxes = node._participant.outboxes if node._participant is not None else {}
    acked = sum(outbox.acked for outbox in outboxes.values())
    assert acked + sum(map(sum, left.values())) == sum(succeeded)
    assert len(done) >= acked
    assert worked or not acked


def leave(node: meshmq.Node, hard: float | None) -> dict[str, tuple[int, int]]:
    """Close, and return what was left in each queue."""
    try:
        node.close(hard)
    except meshmq.Undelivered as left:
        return left.queues
    return {}


def work(mesh: str, done: list[int], closed: threading.Event) -> None:
    """Take from three queues until who pushes is closed."""
    with meshmq.Node("worker", mesh=mesh) as node, ThreadPoolExecutor(3) as threads:
        receivers = [node.pull(f"jobs-{number}") for number in range(3)]
        taken = threads.map(lambda jobs: [job.data for job in jobs], receivers)
        closed.wait(3 * LIMIT)
        for receiver in receivers:
            receiver.close()
        done.extend(number for numbers in taken for number in numbers)


def test_a_node_made_in_a_thread_is_used_from_many(mesh_name: str) -> None:
    made: queue.SimpleQueue[meshmq.Node] = queue.SimpleQueue()
    maker = threading.Thread(target=lambda: made.put(meshmq.Node("made", mesh=mesh_name).open()))
    maker.start()
    maker.join()
    with made.get() as node:
        jobs = node.pull("jobs")
        got: list[int] = []
        threads = [threading.Thread(target=node.push, args=("jobs", number)) for number in range(8)]
        threads += [threading.Thread(target=lambda: got.append(take_one(jobs))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
    assert sorted(got) == list(range(8))


def take_one(jobs: meshmq.Receiver[meshmq.Message]) -> int:
    """Take with a loop of one's own, as every thread should: each has its own job in hand."""
    for message in jobs:
        message.ack()
        return int(message.data)
    raise AssertionError("the receiver was closed")


def test_a_node_that_nobody_holds_any_more_still_delivers(spawn: Spawn, mesh_name: str) -> None:
    with meshmq.Node("worker", mesh=mesh_name) as node:
        jobs = node.pull("jobs")
        child = spawn(FORGETFUL, env={"MESHMQ_MESH": mesh_name})
        message = jobs.receive(LIMIT)
        message.ack()
        assert message.data == "from a node that was collected"
        assert child.wait() == 0
        assert child.stderr == ""


FORGETFUL: Final = """
import gc, meshmq
def push():
    meshmq.Node("forgotten").push("jobs", "from a node that was collected")
push()
gc.collect()
"""


def test_nodes_come_and_go_and_leave_nothing(mesh_name: str) -> None:
    def cycle() -> None:
        with meshmq.Node("short", mesh=mesh_name):
            pass

    for _ in range(5):
        cycle()
    gc.collect()
    before, threads = descriptors(), threading.active_count()
    spans = []
    for _ in range(CYCLES):
        began = time.perf_counter()
        cycle()
        spans.append(time.perf_counter() - began)
    print(f"open and close: {1000 * statistics.median(spans):.1f} ms")
    gc.collect()
    assert threading.active_count() <= threads
    assert statistics.median(spans) < 0.5
    assert settles(lambda: descriptors() <= before + 4)


def test_a_closed_node_is_collected(mesh_name: str) -> None:
    def make() -> list[weakref.ref[object]]:
        with meshmq.Node("closed", mesh=mesh_name) as node:
            jobs = node.pull("jobs")
            node.push("jobs", 1)
            take(jobs)
        return [weakref.ref(node), weakref.ref(node._engine), weakref.ref(jobs)]

    kept = make()
    assert settles(lambda: gc.collect() >= 0 and not any(ref() for ref in kept))


def settles(claim: Callable[[], bool]) -> bool:
    """Whether it becomes true: libzmq closes its sockets in a thread of its own."""
    never, deadline = threading.Event(), time.monotonic() + LIMIT
    while not claim() and time.monotonic() < deadline:
        never.wait(0.02)
    return claim()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  names are all that is counted
