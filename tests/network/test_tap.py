"""Who taps a device in a process of its own is stopped, killed and started again, and nobody is the slower for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.network.test_device import forwarding, hub, until
from tests.scale import scale

JOBS: Final = scale(10_000, 100_000)
ROUNDS: Final = scale(2, 5)

TAPPER: Final = """
import sys, meshmq
with meshmq.Node("tapper") as node:
    copies = node.subscribe("meshmq.tap.jobs")
    copies.ready(20)
    print("taps", flush=True)
    numbers, dropped, gaps = [], 0, 0
    for copy in copies:
        numbers.append(copy.data)
        dropped += int(copy.headers.get("meshmq-dropped", 0))
        gaps += copy.gap
        if copy.data == int(sys.argv[1]):
            break
    print("saw", len(numbers), dropped, gaps, numbers == sorted(set(numbers)), flush=True)
"""


class Works:
    """A device in a process of its own, with a pusher and a worker that counts."""

    def __init__(self, spawn: Spawn, mesh: str) -> None:
        self._spawn, self._mesh = spawn, mesh
        self.hub = hub(spawn, mesh)
        self.pusher, self.worker = meshmq.Node("pusher", mesh=mesh), meshmq.Node("worker", mesh=mesh)
        self.done: list[int] = []

    def open(self) -> None:
        self.pusher.open()
        self.worker.open()
        jobs = self.worker.pull("jobs")
        threading.Thread(target=lambda: self.done.extend(job.data for job in jobs)).start()
        until(self.pusher, lambda: forwarding(self.pusher) == 1)
        self.pusher.wait_for(pull="jobs", timeout=LIMIT)

    def push(self, first: int, count: int) -> float:
        """Push so many jobs; returns in how many seconds they were confirmed."""
        began = time.perf_counter()
        self.pusher.queue("jobs").push_many(range(first, first + count))
        self.pusher.flush(LIMIT)
        return time.perf_counter() - began

    def tap(self, last: int = -1) -> Child:
        """Start one who taps until it sees a job; it is known."""
        tapper = self._spawn(TAPPER, last, env={"MESHMQ_MESH": self._mesh})
        tapper.until("taps")
        return tapper

    def told(self) -> dict[str, int]:
        stats = self.pusher.request("meshmq.stats", to="hub", timeout=LIMIT)
        told = stats["tap"]["jobs"]
        assert isinstance(told, dict)
        return told


@pytest.fixture
def works(spawn: Spawn, mesh_name: str) -> Iterator[Works]:
    """Open them, and close them whatever happened."""
    made = Works(spawn, mesh_name)
    try:
        made.open()
        yield made
    finally:
        made.pusher.close(0.1)
        made.worker.close(0.1)


def test_who_taps_and_is_stopped_harms_nobody(works: Works) -> None:
    works.push(0, 1_000)
    without, stopped = [], []
    pushed = 1_000
    tapper = works.tap()
    tapper.stop()
    for _ in range(ROUNDS):
        stopped.append(works.push(pushed, JOBS))
        pushed += JOBS
    tapper.kill()
    until(works.pusher, lambda: not any(peer.name == "tapper" for peer in works.pusher.peers()))
    for _ in range(ROUNDS):
        without.append(works.push(pushed, JOBS))
        pushed += JOBS
    assert works.done == list(range(pushed))
    told = works.told()
    assert told["copied"] + told["dropped"] >= JOBS
    ratio = min(without) / min(stopped)
    print(f"{JOBS:,} jobs: {ratio:.2f} x the throughput of an untapped device with one who taps and is stopped; {told}")
    assert ratio > 0.3


def test_what_is_seen_and_what_is_told_as_missed_is_all_that_passed(works: Works) -> None:
    tapper = works.tap(JOBS)
    works.push(0, JOBS)
    works.push(JOBS, 1)  # a moment later: there is room for it
    word, seen, dropped, gaps, in_order = tapper.line().split()
    told = works.told()
    assert (word, in_order) == ("saw", "True")
    assert int(seen) + int(gaps) == told["copied"]
    assert int(dropped) == told["dropped"]
    assert told["copied"] + told["dropped"] == JOBS + 1


def test_who_taps_may_come_and_be_killed_at_any_time(works: Works) -> None:
    pushed = 0
    for _ in range(ROUNDS):
        tapper = works.tap()
        for killed in (False, True):
            works.pusher.queue("jobs").push_many(range(pushed, pushed + JOBS))
            pushed += JOBS
            if killed:
                tapper.kill()
        works.pusher.flush(LIMIT)
    until(works.pusher, lambda: not any(peer.name == "tapper" for peer in works.pusher.peers()))
    told = works.told()
    works.push(pushed, JOBS)
    assert works.told() == told
    assert works.done == list(range(pushed + JOBS))
    assert works.pusher.stats()["queues"]["jobs"]["push"]["redelivered"] == 0
