"""A worker that stands still is taken for lost, and comes back once."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from random import Random
from typing import Final

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.network.workforce import Workforce
from tests.scale import STRESS, scale

#: Seconds of standing still: enough to be taken for lost. The short one goes with a short silence.
STOP: Final = 8.0 if STRESS else 2.0
SILENCE: Final = 4.0 if STRESS else 0.8
SETTINGS: Final = meshmq.Settings(silence=SILENCE, heartbeat=SILENCE / 4)


def test_stopped_worker_comes_back_once_and_works_again(spawn: Spawn, mesh_name: str) -> None:
    options = ("--name", "worker", "--silence", SILENCE, "--seconds", 0.005)
    team = Workforce(spawn, mesh_name, "jobs", 1, *options)
    with meshmq.Node("boss", mesh=mesh_name, settings=SETTINGS) as node:
        node.wait_for(pull="jobs", timeout=LIMIT)
        queue = node.queue("jobs")
        queue.push_many(range(50))
        (worker,) = team.workers
        with suppress(meshmq.TimedOut):
            queue.flush(0.1)
        stand_still(worker, STOP)
        queue.push_many(range(50, 100))
        queue.flush(LIMIT)
        kinds = [event.kind for event in node.events(0) if event.name == "worker"]
        here = [peer.name for peer in node.peers()]
    record = team.end()
    assert kinds == ["joined", "lost", "joined"]
    assert here == ["worker"]
    assert sorted(record.done) == list(range(100))
    assert record.unflagged_twice == []


def test_stops_at_random_lose_no_job_and_every_repeat_is_flagged(spawn: Spawn, mesh_name: str) -> None:
    jobs, count, random = scale(100, 1_000), 4, Random(3)
    team = Workforce(spawn, mesh_name, "jobs", count, "--silence", SILENCE, "--seconds", 0.05)
    stopped: deque[tuple[float, Child]] = deque()
    with meshmq.Node("boss", mesh=mesh_name, settings=SETTINGS) as node:
        node.wait_for(pull="jobs", count=count, timeout=LIMIT)
        node.queue("jobs").push_many(range(jobs))
        stops = 0
        while node.queue("jobs").depth:
            now = time.monotonic()
            while stopped and stopped[0][0] <= now:
                stopped.popleft()[1].resume()
            still = [child for _, child in stopped]
            if len(still) < 2:
                worker = random.choice([one for one in team.workers if one not in still])
                worker.stop()
                stopped.append((now + STOP, worker))
                stops += 1
            with suppress(meshmq.TimedOut):
                node.flush(STOP / 8)
        for _, child in stopped:
            child.resume()
        node.wait_for(pull="jobs", count=count, timeout=LIMIT)
        stats = node.stats()["queues"]["jobs"]["push"]
    record = team.end()
    print(f"{jobs} jobs, {stops} stops, {record.repeats} repeats")
    assert stops >= 2
    assert sorted(record.done) == list(range(jobs))
    assert record.unflagged_twice == []
    assert (stats["acked"], stats["depth"]) == (jobs, 0)


def stand_still(worker: Child, seconds: float) -> None:
    """Stop a worker for a while."""
    worker.stop()
    threading.Event().wait(seconds)
    worker.resume()
