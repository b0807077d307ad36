"""A few participants in virtual time on a network without faults, driven by the test."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from meshmq.core.hands import Hand
from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.links.base import Decider
from meshmq.settings import Settings
from meshmq.testing import Faults, Scenario, SimulatedNode, Simulation
from meshmq.testing.books import audit

Result = TypeVar("Result")


@dataclass
class Quiet(Scenario):
    """Nothing happens but what the test does."""

    settings: Settings = field(default_factory=Settings)
    meshes: tuple[str, ...] = ()
    hidden: tuple[int, ...] = ()
    woken: list[object] = field(default_factory=list)

    def make(self, sim: Simulation, node: SimulatedNode) -> Decider:
        # Who is hidden tells of addresses where nobody can reach it, as one behind a NAT does.
        place = "nowhere" if node.index in self.hidden else str(node.index)
        return Participant(
            node_id=node.random.randbytes(16),
            name=f"n{node.index}",
            mesh=self.meshes[node.index] if self.meshes else "m",
            settings=self.settings,
            random=node.random,
            control=(node.control.replace(f"//{node.index}.", f"//{place}."),),
            direct=(node.direct.replace(f"//{node.index}.", f"//{place}."),),
            topics=(node.topics.replace(f"//{node.index}.", f"//{place}."),),
            now=node.moment,
        )

    def on_event(self, sim: Simulation, node: SimulatedNode, woken: Sequence[tuple[Hashable, int]]) -> None:
        self.woken += [key for key, _ in woken]

    def finished(self, sim: Simulation) -> bool:
        return True

    def check(self, sim: Simulation) -> None:
        return None


def audit_all(sim: Simulation) -> None:
    for node in sim.nodes:
        if node.state == "up":
            audit(node)


class Village:
    """Participants 0 to ``nodes - 1``, and what a test does with them."""

    def __init__(self, nodes: int = 2, *, meet: bool = True, seed: int = 11, **fields: object) -> None:
        self.said: list[str] = []
        faults = Faults.none(until=1e9)
        scenario = Quiet(**fields)  # type: ignore[arg-type]  # what the test gives
        self.sim = Simulation(seed, scenario, nodes=nodes, faults=faults, listener=self._listen)
        self.sim.invariant(audit_all)
        #: Keys that participants woke.
        self.woken = scenario.woken
        if meet:
            for one in range(nodes):
                for other in range(nodes):
                    if one != other:
                        self.find(one, other)
            self.run(0.5)

    def _listen(self, line: str) -> None:
        if " says: " in line:
            self.said.append(line.partition(" says: ")[2])

    def __getitem__(self, index: int) -> Participant:
        decider = self.sim.nodes[index].decider
        assert isinstance(decider, Participant)
        return decider

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.sim.run(until=self.sim.now + seconds)

    def do(self, index: int, act: Callable[[Participant, float], Result]) -> Result:
        """Make a user's call; what it raises is raised here."""
        results: list[Result] = []
        errors: list[WouldBlock] = []

        def handing(_: Decider, now: float) -> None:
            try:
                results.append(act(self[index], now))
            except WouldBlock as error:
                errors.append(error)

        assert self.sim.call(self.sim.nodes[index], "by hand", handing)
        for error in errors:
            raise error
        return results[0]

    def find(self, index: int, other: int) -> None:
        address = self.sim.nodes[other].control
        self.do(index, lambda node, now: node.found((address,), "test", None, now))

    def push(self, index: int, *bodies: bytes, queue: str = "jobs", buffers: tuple[bytes, ...] = ()) -> None:
        for body in bodies:
            self.do(index, lambda node, now, body=body: node.push(queue, body, buffers, None, now))  # type: ignore[misc]  # mypy cannot infer a default

    def open(self, index: int, prefetch: int | None = None, queue: str = "jobs") -> None:
        self.do(index, lambda node, now: node.open_queue(queue, prefetch, now))

    def close(self, index: int, queue: str = "jobs") -> None:
        self.do(index, lambda node, now: node.close_queue(queue, now))

    def take(self, index: int, consumer: str = "me", queue: str = "jobs") -> Hand | None:
        """Take one job, if one is here; asks for more where none is."""
        try:
            return self.do(index, lambda node, now: node.take(queue, consumer, now, 1))
        except WouldBlock:
            return None

    def finish(self, index: int, hand: Hand, queue: str = "jobs") -> None:
        self.do(index, lambda node, now: node.finish(queue, hand, now))

    def leave(self, index: int, consumer: str = "me", queue: str = "jobs") -> None:
        self.do(index, lambda node, now: node.leave(queue, consumer, now))

    def next(self, index: int, consumer: str = "me", queue: str = "jobs") -> Hand:
        """Take the next job, waiting for it."""
        for _ in range(200):
            hand = self.take(index, consumer, queue)
            if hand is not None:
                return hand
            self.run(0.02)
        raise AssertionError("no job came")

    def work_off(self, index: int, queue: str = "jobs") -> list[tuple[bytes, int]]:
        """Do all that comes until nothing does for a second; returns bodies and attempts."""
        done: list[tuple[bytes, int]] = []
        idle = 0
        while idle < 50:
            hand = self.take(index, queue=queue)
            if hand is None:
                idle += 1
                self.run(0.02)
                continue
            idle = 0
            done.append((bytes(hand.batch.body(hand.position)), hand.batch.attempt))
            self.finish(index, hand, queue)
        return done


def numbered(count: int) -> list[bytes]:
    """Return so many bodies: 0, 1, 2 ..."""
    return [b"%d" % number for number in range(count)]


def body(hand: Hand) -> bytes:
    """Return the body of the job a hand begins with."""
    return bytes(hand.batch.body(hand.position))
