"""Rounds of a comparison: ours and theirs in turn, in the same processes, over the same transport."""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from tests.network.children import ROOT, Child

LIMIT: Final = 90.0
#: What the workers of a makespan need for a job, in seconds.
PACES: Final = (0.001, 0.01, 0.1)


@dataclass(frozen=True, slots=True)
class Case:
    """What is compared: how many jobs each side pushes to how many workers."""

    title: str
    transport: str
    mesh_jobs: int
    plain_jobs: int
    workers: int = 1
    face: str = ""
    paces: tuple[float, ...] = ()
    #: What is compared is not ours and theirs, but ours through a device and ours directly.
    device: bool = False
    #: ... or ours through a device that somebody taps and through one that nobody does.
    tapped: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One side of one round: jobs per second, seconds of processor time per million jobs of pusher and workers.

    ``over_ideal`` is the time it took as a multiple of what workers that are never idle need.
    """

    rate: float
    push_cpu: float
    pull_cpu: float
    over_ideal: float


@dataclass(frozen=True, slots=True)
class Compared:
    """All rounds of a case."""

    case: Case
    mesh: list[Run]
    plain: list[Run]

    @property
    def ratio(self) -> float:
        """Ours to theirs, as the median of the rounds; of makespans the smaller is the better."""
        if self.case.paces:
            pairs = [(theirs.over_ideal, ours.over_ideal) for ours, theirs in zip(self.mesh, self.plain, strict=True)]
        else:
            pairs = [(ours.rate, theirs.rate) for ours, theirs in zip(self.mesh, self.plain, strict=True)]
        return median(better / worse for better, worse in pairs)


class Company:
    """The processes that play: a pusher and its workers."""

    def __init__(self, workers: int) -> None:
        self.children = [Child([sys.executable, "-m", "tests.bench.side"], cwd=ROOT) for _ in range(1 + workers)]
        self.devices: list[Child] = []
        self.tappers: list[Child] = []

    def close(self) -> None:
        """End them all."""
        for child in (*self.children, *self.devices, *self.tappers):
            child.close()

    def run(self, side: str, case: Case) -> Run:
        """Play one round of one side."""
        with tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp") as directory:
            ours = side == "mesh" or case.device
            play = self._meet_in_mesh if ours else self._meet_plainly
            jobs = case.mesh_jobs if ours else case.plain_jobs
            if case.device and (side == "mesh" or case.tapped):
                self.devices.append(Child([sys.executable, "-m", "tests.bench.side"], cwd=ROOT))
            if case.tapped and side == "mesh":
                self.tappers.append(Child([sys.executable, "-m", "tests.bench.side"], cwd=ROOT))
            pusher, workers = self.children[0], self.children[1 : 1 + max(case.workers, len(case.paces))]
            play(case, directory, pusher, workers)
            hear(pusher, "ready")
            before = [cpu(child) for child in (pusher, *workers)]
            pusher.say("go")
            seconds = hear(pusher, "seconds")["seconds"]
            push, *pulls = [cpu(child) - was for child, was in zip((pusher, *workers), before, strict=True)]
            stop(pusher)
            done = [stop(worker) for worker in workers]
            for gone in (self.tappers, self.devices):
                while gone:
                    gone.pop().close()
        ideal = jobs / sum(one["jobs"] / one["busy"] for one in done) if case.paces else seconds
        return Run(jobs / seconds, push / jobs * 1e6, sum(pulls) / jobs * 1e6, seconds / ideal)

    def _meet_in_mesh(self, case: Case, directory: str, pusher: Child, workers: Sequence[Child]) -> None:
        place = {"name": f"bench-{secrets.token_hex(4)}", "runtime": directory, "transport": case.transport}
        addresses = []
        for device in self.devices:
            act(device, "mesh device", **place)
            addresses.append(hear(device, "address")["address"])
        for number, worker in enumerate(workers):
            act(worker, f"mesh pull{case.face}", **place, **work(case, number))
            addresses.append(hear(worker, "address")["address"])
        count = {"count": case.mesh_jobs, "workers": len(workers), **cold(case)}
        for tapper in self.tappers:
            act(tapper, "mesh tap", **place, peers=addresses)
            hear(tapper, "taps")
        # In clear and on TCP nobody tells the workers of each other; each has one pusher, which is told of all.
        through = {"through": True} if self.devices else {}
        act(pusher, f"mesh push{case.face}", **place, **count, peers=addresses, **through)

    def _meet_plainly(self, case: Case, directory: str, pusher: Child, workers: Sequence[Child]) -> None:
        where = [f"ipc://{directory}/{name}" if case.transport == "ipc" else "tcp://127.0.0.1:*" for name in "jc"]
        count = {"count": case.plain_jobs, "workers": len(workers), **cold(case)}
        act(pusher, f"plain push{case.face}", jobs=where[0], counts=where[1], **count)
        bound = hear(pusher, "jobs")
        for number, worker in enumerate(workers):
            act(worker, f"plain pull{case.face}", name=str(number), **bound, **work(case, number))
            hear(worker, "here")


def work(case: Case, number: int) -> dict[str, float]:
    return {"work": case.paces[number]} if case.paces else {}


def cold(case: Case) -> dict[str, int]:
    """Return how many jobs go before: none where it counts how soon the paces are found out."""
    return {"warm": 0} if case.paces else {}


def act(child: Child, part: str, **arguments: Any) -> None:
    child.say(json.dumps({"part": part, **arguments}))


def hear(child: Child, word: str) -> dict[str, Any]:
    """Return the next answer that has this word in it."""
    while True:
        answer: dict[str, Any] = json.loads(child.line(LIMIT))
        if word in answer:
            return answer


def cpu(child: Child) -> float:
    child.say("cpu")
    return float(hear(child, "cpu")["cpu"])


def stop(child: Child) -> dict[str, Any]:
    """End a part, and return the last that was told."""
    child.say("stop")
    last: dict[str, Any] = {}
    while True:
        answer = json.loads(child.line(LIMIT))
        if "over" in answer:
            return last
        last = answer


@contextmanager
def company(cases: Sequence[Case]) -> Iterator[Company]:
    """Start as many as the largest case needs."""
    made = Company(max(max(case.workers, len(case.paces)) for case in cases))
    try:
        yield made
    finally:
        made.close()


def compare(cases: Sequence[Case], rounds: int, seconds: float) -> list[Compared]:
    """Play all cases in turn, round by round; no further round begins after so many seconds."""
    ended = time.monotonic() + seconds
    results = [Compared(case, [], []) for case in cases]
    with company(cases) as made:
        for number in range(rounds):
            if number and time.monotonic() > ended:
                break
            for result in results:
                order = ("mesh", "plain") if number % 2 == 0 else ("plain", "mesh")
                for side in order:
                    (result.mesh if side == "mesh" else result.plain).append(made.run(side, result.case))
    return results
