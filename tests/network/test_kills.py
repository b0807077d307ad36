"""Workers die in every way there is, and no job does."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

import meshmq
from meshmq.errors import TimedOut
from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.network.workforce import Workforce
from tests.scale import STRESS, scale

JOBS: Final = scale(60, 1_000)
WORKERS: Final = 4
KILL_EVERY: Final = 0.3 if STRESS else 0.2
WORK: Final = 0.02 if STRESS else 0.05


def test_killed_workers_lose_no_job_and_every_repeat_is_flagged(spawn: Spawn, mesh_name: str) -> None:
    random = Random(1)
    team = Workforce(spawn, mesh_name, "jobs", WORKERS, "--seconds", WORK)
    kills = 0
    with meshmq.Node("boss", mesh=mesh_name) as node:
        node.wait_for(pull="jobs", count=WORKERS, timeout=LIMIT)
        node.queue("jobs").push_many(range(JOBS))
        while not flushed(node, KILL_EVERY):
            node.wait_for(pull="jobs", count=WORKERS - 1, timeout=LIMIT)  # else nobody lives long enough to work
            team.replace_any(random)
            kills += 1
        stats = node.stats()["queues"]["jobs"]["push"]
    record = team.end()
    assert kills
    assert sorted(record.done) == list(range(JOBS))
    assert record.unflagged_twice == []
    assert all(len(ids) == 1 for ids in record.ids.values())
    # The counters of both ends agree with each other and with what was told.
    assert (stats["pushed"], stats["acked"], stats["depth"], stats["bytes"]) == (JOBS, JOBS, 0, 0)
    assert record.counted
    assert all(told == counted for told, counted in record.counted)
    assert record.repeats <= stats["redelivered"]
    print(f"{kills} kills, {record.repeats} executions and {stats['redelivered']} deliveries more than once")


@pytest.mark.stress
def test_failing_handlers_among_killed_workers_get_their_jobs_again(spawn: Spawn, mesh_name: str) -> None:
    random = Random(2)
    team = Workforce(spawn, mesh_name, "jobs", WORKERS, "--seconds", WORK, "--fail", 3)
    with meshmq.Node("boss", mesh=mesh_name) as node:
        node.wait_for(pull="jobs", count=WORKERS, timeout=LIMIT)
        node.queue("jobs").push_many(range(JOBS))
        while not flushed(node, KILL_EVERY):
            node.wait_for(pull="jobs", count=WORKERS - 1, timeout=LIMIT)  # else nobody lives long enough to work
            team.replace_any(random)
        stats = node.stats()["queues"]["jobs"]["push"]
    record = team.end()
    assert sorted(record.done) == list(range(JOBS))
    assert record.unflagged_twice == []
    assert record.failed
    assert stats["refused"] <= len(record.failed)
    assert (stats["acked"], stats["depth"]) == (JOBS, 0)


@pytest.mark.stress
def test_job_that_kills_its_worker_harms_no_neighbour(spawn: Spawn, mesh_name: str) -> None:
    with meshmq.Node("boss", mesh=mesh_name) as node:
        poison_one(spawn, mesh_name, node, JOBS, WORKERS)


def poison_one(spawn: Spawn, mesh: str, boss: meshmq.Node, jobs: int, workers: int) -> None:
    """Push jobs of which one kills whoever begins it: the others are done, at most once unflagged. Closes the node."""
    poison = jobs // 3
    team = Workforce(spawn, mesh, "jobs", workers, "--prefetch", 200, "--seconds", 0.002, "--poison", poison)
    boss.wait_for(pull="jobs", count=workers, timeout=LIMIT)
    queue = boss.queue("jobs")
    queue.push_many(range(jobs))
    deaths = 0
    while queue.depth > 1 or deaths < 3:
        flushed(boss, 0.05)
        deaths += team.replace_dead()
    with pytest.raises(meshmq.Undelivered) as left:
        boss.close(0)
    assert sum(left.value.queues["jobs"]) == 1
    record = team.end()
    assert sorted(record.done) == [job for job in range(jobs) if job != poison]
    assert record.unflagged_twice == []
    assert len(record.attempts[poison]) >= 3
    assert {job: highest for job, highest in record.highest.items() if highest > 2 and job != poison} == {}


def flushed(node: meshmq.Node, timeout: float) -> bool:
    try:
        node.flush(timeout)
    except TimedOut:
        return False
    return True
