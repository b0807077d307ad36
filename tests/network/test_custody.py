"""Stages are killed between what they are given and what they make of it, and nothing is lost."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from random import Random
from typing import Final

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.network.workforce import PROGRAMS
from tests.scale import scale

JOBS: Final = scale(100, 2_000)
STAGES: Final = 3
KILLS: Final = scale(3, 30)


def test_killed_stages_lose_nothing_and_what_they_made_twice_is_flagged(spawn: Spawn, mesh_name: str) -> None:
    random, seconds = Random(5), 0.01
    stages = [_start(spawn, mesh_name, seconds) for _ in range(STAGES)]
    unflagged, flagged = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    ids: dict[tuple[int, str], set[str]] = {}
    enough = threading.Event()
    made = meshmq.Node("sink", mesh=mesh_name)

    @made.pull("made")
    def take(output: tuple[int, str], message: meshmq.Message) -> None:
        key = (output[0], output[1])
        (flagged if message.redelivered else unflagged)[key] += 1
        ids.setdefault(key, set()).add(message.id)
        enough.set()

    with made, meshmq.Node("source", mesh=mesh_name) as source:
        source.wait_for(pull="jobs", count=STAGES, timeout=LIMIT)
        source.queue("jobs").push_many(range(JOBS))
        for _ in range(KILLS):
            enough.clear()
            assert enough.wait(LIMIT), "nothing is made any more"
            place = random.randrange(STAGES)
            stages[place].kill()
            stages[place] = _start(spawn, mesh_name, seconds)
        source.flush(scale(60, 300))
        stats = source.stats()["queues"]["jobs"]["push"]
        source.wait_for(pull="jobs", count=STAGES, timeout=LIMIT)  # the last has begun, and takes SIGTERM
    for stage in stages:
        stage.signal(signal.SIGTERM)
        assert stage.wait() == 0, stage.stderr
    wanted = {(number, which) for number in range(JOBS) for which in ("first", "second")}
    assert unflagged.keys() | flagged.keys() == wanted
    assert max(unflagged.values()) == 1, "what was made twice is not flagged"
    assert {len(one) for one in ids.values()} == {1}, "what was made again is another job"
    assert stats["redelivered"] > 0, "no stage was killed with a job"
    print(f"{KILLS} kills, {stats['redelivered']} jobs again, {sum(flagged.values())} of what they made")


def _start(spawn: Spawn, mesh_name: str, seconds: float) -> Child:
    return spawn(PROGRAMS / "stage.py", seconds, env={"MESHMQ_MESH": mesh_name})
