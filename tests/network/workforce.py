"""Workers in processes of their own, and what they say of every job they ran."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Final

from tests.network.children import Child
from tests.network.conftest import Spawn

PROGRAMS: Final = Path(__file__).parent / "programs"


class Workforce:
    """``count`` workers of one queue; whoever is killed is replaced."""

    def __init__(self, spawn: Spawn, mesh: str, queue: str, count: int, *options: object) -> None:
        self._spawn, self._mesh, self._command = spawn, mesh, (queue, *options)
        self.everybody: list[Child] = []
        self.workers = [self.start() for _ in range(count)]

    def start(self) -> Child:
        child = self._spawn(PROGRAMS / "worker.py", *self._command, env={"MESHMQ_MESH": self._mesh})
        self.everybody.append(child)
        return child

    def replace(self, index: int) -> None:
        """Kill one (if it has not killed itself) and start another in its place."""
        self.workers[index].kill()
        self.workers[index] = self.start()

    def replace_any(self, random: Random) -> None:
        self.replace(random.randrange(len(self.workers)))

    def replace_dead(self) -> int:
        """Start another in the place of each that has ended; returns how many."""
        dead = [index for index, worker in enumerate(self.workers) if not worker.running]
        for index in dead:
            self.replace(index)
        return len(dead)

    def end(self) -> Record:
        """Let all who live leave, and return what everybody ever said."""
        for worker in self.workers:
            worker.end_input()
        for worker in self.workers:
            worker.wait()
        return Record([child.rest() for child in self.everybody])


class Record:
    """All executions of all jobs: the attempts each job was run as, and what else was told."""

    def __init__(self, told: list[list[str]]) -> None:
        self.attempts: defaultdict[int, list[int]] = defaultdict(list)
        self.done: defaultdict[int, int] = defaultdict(int)
        self.ids: defaultdict[int, set[str]] = defaultdict(set)
        self.events: list[tuple[str, str]] = []
        self.failed: set[int] = set()
        #: Of each worker that left well: how many jobs it said it did, and how many its counters say.
        self.counted: list[tuple[int, int]] = []
        for lines in told:
            self._read(lines)

    def _read(self, lines: list[str]) -> None:
        done = 0
        for line in lines:
            if not line.endswith(" ."):
                continue  # a kill has cut it
            word, *rest = line.removesuffix(" .").split()
            if word == "begun":
                self.attempts[int(rest[0])].append(int(rest[1]))
                self.ids[int(rest[0])].add(rest[2])
            elif word == "done":
                self.done[int(rest[0])] += 1
                done += 1
            elif word == "failed":
                self.failed.add(int(rest[0]))
            elif word == "event":
                self.events.append((rest[0], " ".join(rest[1:])))  # who is refused may have no name
            elif word == "stats":
                self.counted.append((done, int(rest[0])))

    @property
    def repeats(self) -> int:
        """How many executions there were beyond the first of each job."""
        return sum(len(attempts) - 1 for attempts in self.attempts.values())

    @property
    def unflagged_twice(self) -> list[int]:
        """The jobs of which more than one execution called itself the first."""
        return [job for job, attempts in self.attempts.items() if attempts.count(1) > 1]

    @property
    def highest(self) -> dict[int, int]:
        """The highest attempt of each job."""
        return {job: max(attempts) for job, attempts in self.attempts.items()}
