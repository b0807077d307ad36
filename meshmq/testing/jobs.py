"""The scenario of jobs: pushers, workers that die and stall, and a witness who was there.

Nodes 0 and 1 push, the others pull. The witness sees every execution, and knows when a pusher
forgets a job: none may be forgotten that nobody has finished, and of all executions of a job at
most one may be unflagged.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from meshmq.core.hands import Hand
from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.links.base import Decider
from meshmq.names import counted
from meshmq.testing.mesh import Mesh
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.simulation import Simulation
from meshmq.wire.verdicts import Verdict

QUEUE: Final = "jobs"
PUSHERS: Final = 2


@dataclass(slots=True)
class Job:
    """What became of one job."""

    unflagged: int = 0
    flagged: int = 0
    finished: int = 0
    refused: int = 0


class Worker:
    """One user of the queue on one incarnation: works on a job, asks for the next, sometimes fails."""

    def __init__(self, scenario: Jobs, sim: Simulation, node: SimulatedNode, queue: str = QUEUE) -> None:
        self.scenario, self.sim, self.node, self.queue = scenario, sim, node, queue
        self.participant = participant(node)
        self.hand: Hand | None = None
        self.busy = False

    def open(self) -> None:
        """Pull the queue and ask for a first job."""
        self.sim.call(self.node, "pull", lambda _, now: self.participant.open_queue(self.queue, None, now))
        self.ask()

    def ask(self) -> None:
        """Ask for the next job, unless one is in hand."""
        if not self.busy:
            self.busy = True
            self.sim.call(self.node, "ask", self._advance)

    def _advance(self, _: Decider, now: float) -> None:
        hand = self.hand
        if hand is not None and hand.step() >= 0:
            self._begin(hand)
            return
        if hand is not None:
            self.hand = None
            self.participant.finish(self.queue, hand, now)
        try:
            self.hand = self.participant.take(self.queue, self, now)
        except WouldBlock:
            self.busy = False
            return
        self._begin(self.hand)

    def _begin(self, hand: Hand) -> None:
        name = bytes(hand.batch.body(hand.position)).decode()
        job = self.scenario.witnessed[name]
        flagged = hand.batch.attempt > 1
        self.sim.note(f"{self.node.name} begins {name} attempt {hand.batch.attempt}")
        job.flagged += flagged
        job.unflagged += not flagged
        assert job.unflagged <= 1, f"{name} was executed twice without a flag"
        self.sim.after(self.sim.random.uniform(0.001, 0.05), lambda: self._end(hand, hand.position, job, name))

    def did(self, hand: Hand, index: int, name: str, now: float) -> None:
        """Do what is to be done with a job that is in hand still, and has been worked on."""

    def _end(self, hand: Hand, index: int, job: Job, name: str) -> None:
        fails = self.sim.random.random() < self.scenario.failures

        def end(_: Decider, now: float) -> None:
            self.sim.note(f"{self.node.name} {'refuses' if fails else 'has done'} {name}")
            if fails:
                job.refused += 1
                hand.said[index] = Verdict.REFUSED
                self.participant.judge(self.queue, hand, index, Verdict.REFUSED, None, now)
            else:
                job.finished += 1
                self.did(hand, index, name, now)
            self._advance(_, now)

        self.sim.call(self.node, f"ends {name}", end)


@dataclass
class Jobs(Mesh):
    """``jobs`` are pushed within ``seconds``; a share of executions, ``failures``, is refused.

    With ``presence`` everybody's roster must in the end hold the living, all of them and no other.
    """

    jobs: int = 200
    seconds: float = 15.0
    failures: float = 0.02
    presence: bool = True
    witnessed: dict[str, Job] = field(default_factory=dict)
    workers: dict[int, Worker] = field(default_factory=dict)

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        super().joined(sim, node)
        if node.index >= PUSHERS:
            worker = self.workers[node.index] = Worker(self, sim, node)
            sim.after(sim.random.uniform(0, 0.1), worker.open)

    def start(self, sim: Simulation) -> None:
        for number in range(self.jobs):
            sim.after(sim.random.uniform(0, self.seconds), partial(self._push, sim, number))
        sim.invariant(self.nothing_is_forgotten, every=10)
        super().start(sim)

    def _push(self, sim: Simulation, number: int) -> None:
        name = f"job-{number}"

        def push(decider: Decider, now: float) -> None:
            assert isinstance(decider, Participant)
            self.witnessed[name] = Job()
            decider.push(QUEUE, name.encode(), (), None, now)

        sim.call(sim.nodes[sim.random.randrange(PUSHERS)], f"push {name}", push)

    def on_event(self, sim: Simulation, node: SimulatedNode, woken: Sequence[tuple[Hashable, int]]) -> None:
        worker = self.workers.get(node.index)
        if worker is not None and worker.node is node and any(key == ("inbox", QUEUE) for key, _ in woken):
            worker.ask()

    def may_crash(self, sim: Simulation, node: SimulatedNode) -> bool:
        return node.index >= PUSHERS

    def nothing_is_forgotten(self, sim: Simulation) -> None:
        """Every job that nobody has finished is still in an outbox."""
        unfinished = sum(not job.finished for job in self.witnessed.values())
        depth = self._depth(sim)
        assert unfinished <= depth, f"{counted(unfinished, 'job')} not done, and the outboxes hold {depth}"

    def _depth(self, sim: Simulation) -> int:
        outboxes = [participant(node).outboxes.get(QUEUE) for node in sim.nodes[:PUSHERS]]
        return sum(outbox.depth for outbox in outboxes if outbox is not None)

    def finished(self, sim: Simulation) -> bool:
        if len(self.witnessed) < self.jobs or self._depth(sim):
            return False
        if not self.presence:
            return True
        ids = {participant(node).node_id for node in sim.nodes}
        return all(set(participant(node).roster) == ids - {participant(node).node_id} for node in sim.nodes)

    def check(self, sim: Simulation) -> None:
        for name, job in self.witnessed.items():
            assert job.finished, f"{name} was lost: {job}"
        assert self.finished(sim)


def participant(node: SimulatedNode) -> Participant:
    """Return the participant of a node of this scenario."""
    assert isinstance(node.decider, Participant)
    return node.decider
