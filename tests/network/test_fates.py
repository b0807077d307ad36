"""Keys keep their order, and what kills its workers is found, while workers are killed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Final

import meshmq
from meshmq.errors import TimedOut
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.scale import scale

PROGRAM: Final = Path(__file__).parent / "programs" / "keyed.py"
JOBS: Final = scale(80, 1_000)
KEYS: Final = 20
WORKERS: Final = 4
SECONDS: Final = scale(5, 2) / 100
KILL_EVERY: Final = 0.2


class Team:
    """Workers of keyed jobs, and what they tell; whoever dies is replaced."""

    def __init__(self, spawn: Spawn, mesh: str) -> None:
        self._spawn, self._mesh = spawn, mesh
        self.everybody: list[Child] = []
        self.workers = [self._start() for _ in range(WORKERS)]

    def _start(self) -> Child:
        child = self._spawn(PROGRAM, "jobs", SECONDS, env={"MESHMQ_MESH": self._mesh})
        self.everybody.append(child)
        return child

    def replace(self, index: int) -> None:
        self.workers[index].kill()
        self.workers[index] = self._start()

    def replace_dead(self) -> None:
        for index, worker in enumerate(self.workers):
            if not worker.running:
                self.replace(index)

    def told(self) -> list[list[str]]:
        """Let all who live leave; returns the words of every line that is whole."""
        for worker in self.workers:
            worker.end_input()
        lines = [line for child in self.everybody for line in child.rest(LIMIT)]
        return [line.removesuffix(" .").split() for line in lines if line.endswith(" .")]


def is_flushed(node: meshmq.Node, seconds: float) -> bool:
    try:
        node.flush(seconds)
    except TimedOut:
        return False
    return True


def test_order_per_key_holds_though_workers_are_killed_and_keys_move(spawn: Spawn, mesh_name: str) -> None:
    random, kills = Random(3), 0
    team = Team(spawn, mesh_name)
    with meshmq.Node("boss", mesh=mesh_name) as boss:
        boss.wait_for(pull="jobs", count=WORKERS, timeout=LIMIT)
        for number in range(JOBS):
            boss.push("jobs", [f"key-{number % KEYS}", number], key=f"key-{number % KEYS}")
        while not is_flushed(boss, KILL_EVERY):
            boss.wait_for(pull="jobs", count=WORKERS - 1, timeout=LIMIT)  # else nobody lives long enough to work
            team.replace(random.randrange(WORKERS))
            kills += 1
    told = team.told()
    begun: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for words in told:
        if words[0] == "begun":
            begun[words[1]].append((int(words[4]), int(words[2]), int(words[3])))
    done = {int(words[2]) for words in told if words[0] == "done"}
    assert done == set(range(JOBS))
    assert kills
    repeats = 0
    for key, runs in begun.items():
        numbers = [number for _, number, _ in sorted(runs)]
        assert numbers == sorted(numbers), f"{key} was not done in order: {numbers}"
        repeats += len(numbers) - len(set(numbers))
        unflagged = [number for _, number, attempt in runs if attempt == 1]
        assert len(unflagged) == len(set(unflagged)), "a repeat without its flag"
    print(f"{kills} kills, {JOBS} jobs of {KEYS} keys in order, {repeats} repeats, all flagged")


def test_a_job_that_kills_its_worker_is_a_dead_letter_and_the_others_are_done(spawn: Spawn, mesh_name: str) -> None:
    team = Team(spawn, mesh_name)
    with meshmq.Node("boss", mesh=mesh_name) as boss:
        queue = boss.queue("jobs", max_attempts=3, backoff=0.01)
        boss.wait_for(pull="jobs", count=WORKERS, timeout=LIMIT)
        for number in range(JOBS):
            queue.push(["poison" if number == JOBS // 2 else "good", number])
        while not is_flushed(boss, 0.1):
            team.replace_dead()
        (letter,) = queue.dead
        assert letter.data == ["poison", JOBS // 2]
        assert letter.reason == "failed 3 times; the last: its worker was lost"
        stats = boss.stats()["queues"]["jobs"]["push"]
    told = team.told()
    begun = [words for words in told if words[0] == "begun"]
    done = {int(words[2]) for words in told if words[0] == "done"}
    assert done == set(range(JOBS)) - {JOBS // 2}
    # It failed three times; once more it may have been with a worker that died before it could say so.
    assert 3 <= sum(words[1] == "poison" for words in begun) <= 4
    assert (stats["acked"], stats["died"], stats["depth"]) == (JOBS - 1, 1, 0)
