"""Whoever comes first, the first job arrives; and what a worker leaves goes elsewhere at once."""

from __future__ import annotations

import time
from random import Random
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.network.workforce import PROGRAMS
from tests.scale import STRESS, scale

ROUNDS: Final = scale(3, 100)
PAIRS: Final = scale(3, 2)
AT_ONCE: Final = 1.0 if STRESS else 10.0
#: The end of the imports is one random delay, these are the other.
LATEST: Final = 0.2


def test_first_job_arrives_whoever_starts_first(spawn: Spawn, mesh_name: str) -> None:
    random = Random(4)
    for number in range(0, ROUNDS, PAIRS):
        pairs = []
        for twin in range(PAIRS):
            env = {"MESHMQ_MESH": f"{mesh_name}-{number + twin}"}
            sides = random.sample(["push", "pull"], 2)
            pairs.append(
                {side: spawn(PROGRAMS / "first.py", side, random.uniform(0, LATEST), env=env) for side in sides}
            )
        for pair in pairs:
            assert pair["pull"].line() == "hello 1"
            assert pair["pull"].wait() == 0, pair["pull"].stderr
            assert pair["push"].wait() == 0, pair["push"].stderr


LEAVER: Final = """
import sys, meshmq
way, prefetch = sys.argv[1], int(sys.argv[2]) or None
node = meshmq.Node("leaver").open()
receiver = node.pull("jobs", prefetch=prefetch)
def tell(message):
    print(message.data, message.attempt, flush=True)
    return message.data == 7
try:
    for message in receiver:
        if tell(message):
            if way == "break":
                break
            if way == "exception":
                raise RuntimeError("told to leave")
            if way == "receiver":
                receiver.close()
            if way == "node":
                node.close()
except RuntimeError:
    pass
print("left", flush=True)
sys.stdin.read()
node.close()
"""


#: Crosswise under stress.
WAYS: Final = [
    pytest.param(way, prefetch, marks=[] if prefetch == usual else [pytest.mark.stress])
    for way, usual in {"break": 20, "exception": 0, "receiver": 20, "node": 0}.items()
    for prefetch in (20, 0)
]


@pytest.mark.parametrize(("way", "prefetch"), WAYS)
def test_what_a_worker_leaves_goes_elsewhere_at_once(spawn: Spawn, mesh_name: str, way: str, prefetch: int) -> None:
    with meshmq.Node("boss", mesh=mesh_name) as node:
        leaver = spawn(LEAVER, way, prefetch, env={"MESHMQ_MESH": mesh_name})
        node.wait_for(pull="jobs", timeout=LIMIT)
        node.queue("jobs").push_many(range(1, 21))
        first = [tuple(map(int, leaver.line().split())) for _ in range(7)]
        assert leaver.line() == "left"
        left = time.monotonic()
        with node.pull("jobs") as receiver:
            rest: list[tuple[object, int]] = []
            while len(rest) < 14:
                message = receiver.receive(LIMIT)
                rest.append((message.data, message.attempt))
            took = time.monotonic() - left
        leaver.end_input()
        assert leaver.wait() == 0, leaver.stderr
    assert first == [(number, 1) for number in range(1, 8)]
    assert set(rest) == {(7, 2), *((number, 1) for number in range(8, 21))}
    assert took < AT_ONCE
