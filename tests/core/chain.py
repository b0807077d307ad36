"""The scenario of custody: jobs that stages make further jobs of, and a witness at the end of the chain.

Nodes 0 and 1 push into "jobs"; 2, 3 and 4 are stages, which pull it and push into "results"; the others pull those.
All but the pushers die and stall. A job may be forgotten by its pusher when all that is to be made of it was
finished at the end; and of all executions of one job, made or pushed, at most one may be unflagged.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from zlib import crc32

from meshmq.core.hands import Hand
from meshmq.settings import Settings
from meshmq.testing.books import audit
from meshmq.testing.jobs import PUSHERS, QUEUE, Job, Jobs, Worker, participant
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.simulation import Simulation

RESULTS: Final = "results"
STAGES: Final = range(2, 5)
#: The longest that a batch waits for more jobs.
PATIENCE: Final = 0.2


def outputs_of(name: str) -> list[str]:
    """Return what is to be made of a job: nothing, or up to three jobs."""
    return [f"{name}/{index}" for index in range(crc32(name.encode()) % 4)]


class Stage(Worker):
    """Makes jobs of jobs: of each on its own, or of so many together, which it holds meanwhile."""

    def __init__(self, scenario: Chain, sim: Simulation, node: SimulatedNode) -> None:
        super().__init__(scenario, sim, node)
        self.batch = scenario.batch
        self._held: list[tuple[Hand, int, str]] = []
        self._began = 0

    def did(self, hand: Hand, index: int, name: str, now: float) -> None:
        if not self.batch:
            for output in outputs_of(name):
                self._push(output, [(hand, index)], now)
            return
        self._held.append((hand, index, name))
        hand.kept.add(index)
        self.participant.keep(hand, index)
        if len(self._held) == self.batch:
            self._make(now)
        elif len(self._held) == 1:
            self._began += 1
            began = self._began
            self.sim.after(PATIENCE, lambda: self._in_time(began))

    def _in_time(self, began: int) -> None:
        if began == self._began:
            self.sim.call(self.node, "makes a batch", lambda _, now: self._make(now))

    def _make(self, now: float) -> None:
        held, self._held = self._held, []
        self._began += 1
        if held:
            self._push("+" + "+".join(name for *_, name in held), [(hand, index) for hand, index, _ in held], now)
        for hand, index, _ in held:
            hand.said[index] = None
            self.participant.judge(QUEUE, hand, index, None, None, now)

    def _push(self, output: str, made_of: list[tuple[Hand, int]], now: float) -> None:
        self.scenario.witnessed.setdefault(output, Job())
        self.participant.push(RESULTS, output.encode(), (), None, now, None, made_of)


@dataclass
class Chain(Jobs):
    """``batch`` makes one job of so many instead of some of each."""

    batch: int = 0
    presence: bool = False
    settings: ClassVar[Settings] = Settings(custody=6)

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        super(Jobs, self).joined(sim, node)
        if node.index in STAGES:
            self.workers[node.index] = Stage(self, sim, node)
        elif node.index >= PUSHERS:
            self.workers[node.index] = Worker(self, sim, node, RESULTS)
        if node.index >= PUSHERS:
            sim.after(sim.random.uniform(0, 0.1), self.workers[node.index].open)

    def start(self, sim: Simulation) -> None:
        super().start(sim)
        sim.invariant(self.custody_is_bounded, every=10)

    def on_event(self, sim: Simulation, node: SimulatedNode, woken: Sequence[tuple[Hashable, int]]) -> None:
        audit(node)
        worker = self.workers.get(node.index)
        if worker is not None and worker.node is node and any(key == ("inbox", worker.queue) for key, _ in woken):
            worker.ask()

    def nothing_is_forgotten(self, sim: Simulation) -> None:
        """Every job of which not everything was made and finished is still in its pusher's outbox."""
        open_jobs, depth = len(self._open()), self._depth(sim)
        assert open_jobs <= depth, f"{open_jobs} jobs are not done to the end, and the outboxes hold {depth}"

    def custody_is_bounded(self, sim: Simulation) -> None:
        """No stage has more in custody than its settings say."""
        for node in sim.nodes:
            for inbox in participant(node).inboxes.values():
                assert inbox.keeping.handled <= self.settings.custody, f"{inbox.keeping.handled} in custody"

    def _open(self) -> list[str]:
        pushed = [name for name in self.witnessed if "/" not in name and "+" not in name]
        if self.batch:
            made = [name[1:].split("+") for name, job in self.witnessed.items() if "+" in name and job.finished]
            batched = {name for names in made for name in names}
            return [name for name in pushed if name not in batched]
        return [
            name
            for name in pushed
            if not self.witnessed[name].finished or not all(map(self._finished, outputs_of(name)))
        ]

    def _finished(self, output: str) -> bool:
        return output in self.witnessed and self.witnessed[output].finished > 0

    def finished(self, sim: Simulation) -> bool:
        return super().finished(sim) and not any(
            outbox.depth for node in sim.nodes for outbox in participant(node).outboxes.values()
        )

    def check(self, sim: Simulation) -> None:
        assert not self._open(), f"lost: {self._open()}"
        assert self.finished(sim)
