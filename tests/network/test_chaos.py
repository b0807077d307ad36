"""Everything at once: workers killed, stopped and failing, connections cut and silent, two pushers."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from itertools import count
from random import Random
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.network.detour import DetouredNode
from tests.network.workforce import Workforce

WORKERS: Final = 4
SECONDS: Final = 20.0
WORST_STOP: Final = 4.0
SILENCE: Final = 0.8


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(3))
def test_no_job_is_lost_whatever_happens(spawn: Spawn, mesh_name: str, seed: int) -> None:
    options = ("--silence", SILENCE, "--seconds", 0.003, "--fail", 7, "--insecure")
    team = Workforce(spawn, mesh_name, "jobs", WORKERS, *options)
    settings = meshmq.Settings(silence=SILENCE, heartbeat=SILENCE / 4, outbox_jobs=3_000, backoff=0.02)
    numbers, over = count(), threading.Event()
    pushed: list[list[int]] = [[], []]

    def push(node: meshmq.Node, mine: list[int]) -> None:
        while not over.is_set():
            number = next(numbers)
            node.push("jobs", number, timeout=60)
            mine.append(number)

    with (
        DetouredNode("one", mesh=mesh_name, settings=settings) as one,
        meshmq.Node("two", mesh=mesh_name, settings=settings) as two,
    ):
        one.wait_for(pull="jobs", count=WORKERS, timeout=LIMIT)
        nodes = (one, two)
        pushers = [threading.Thread(target=push, args=pair) for pair in zip(nodes, pushed, strict=True)]
        for pusher in pushers:
            pusher.start()
        try:
            disturb(team, one, Random(seed))
        finally:
            over.set()
            for pusher in pushers:
                pusher.join()
        for node in nodes:
            node.flush(60)
        stats = [node.stats()["queues"]["jobs"]["push"] for node in nodes]
    record = team.end()
    print(f"{len(record.done):,} jobs, {record.repeats:,} repeats")
    assert set(record.done) == {number for mine in pushed for number in mine}
    assert record.unflagged_twice == []
    assert all(told == counted for told, counted in record.counted)
    assert [(end["pushed"], end["acked"], end["depth"]) for end in stats] == [(len(m), len(m), 0) for m in pushed]


def disturb(team: Workforce, one: DetouredNode, random: Random) -> None:
    """Do harm for a while; nobody stands still when it returns."""
    pause, end = threading.Event(), time.monotonic() + SECONDS
    stopped: dict[Child, float] = {}
    while time.monotonic() < end:
        pause.wait(random.uniform(0.02, 0.4))
        for child in [child for child, until in stopped.items() if until <= time.monotonic() or not child.running]:
            resume(child)
            del stopped[child]
        harm = random.choice(["kill", "stop", "cut", "cut", "cut", "silence"])
        if harm == "kill":
            team.replace_any(random)
        elif harm == "stop":
            child = random.choice(team.workers)
            if len(stopped) < WORKERS // 2 and child not in stopped:
                child.stop()
                stopped[child] = time.monotonic() + random.uniform(0.05, WORST_STOP)
        else:
            for proxy in list(one.proxies.values()):
                proxy.cut() if harm == "cut" else proxy.silence()
    for child in stopped:
        resume(child)


def resume(child: Child) -> None:
    with suppress(ProcessLookupError):
        child.resume()
