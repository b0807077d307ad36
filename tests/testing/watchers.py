"""Toys that believe in who has subscribed to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from meshmq.links.base import Connection, Decider, Reason
from meshmq.testing import Scenario, SimulatedNode, Simulation
from tests.testing.toys import Quiet


class Watcher(Quiet):
    """Subscribes to every other node, and believes in those that have subscribed to it."""

    def __init__(self, index: int, addresses: Callable[[], dict[int, str]], now: float, *, counts: bool) -> None:
        super().__init__()
        self.index = index
        self.addresses = addresses
        self.counts = counts
        self.due = now
        self.numbers = 0
        self.dialled: dict[int, tuple[str, Connection]] = {}
        self.claims: Counter[int] = Counter()

    def tick(self, now: float) -> None:
        self.due = now + 0.5
        for index, address in self.addresses().items():
            if index != self.index and self.dialled.get(index, ("", 0))[0] != address:
                if index in self.dialled:
                    self.outputs.append(("hang_up", self.dialled[index][1]))
                self.dialled[index] = (address, self.numbers)
                self.outputs.append(("dial", self.numbers, "control", [address], [b"card", b"\xff%d" % self.index]))
                self.numbers += 2

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None:
        self.ended(connection, now)

    def ended(self, connection: Connection, now: float) -> None:
        self.dialled = {index: entry for index, entry in self.dialled.items() if entry[1] != connection}

    def claim(self, string: bytes, present: bool, now: float) -> None:
        if string.startswith(b"\xff"):
            index = int(string[1:])
            if self.counts:
                self.claims[index] += 1 if present else -1
            else:
                self.claims[index] = int(present)

    @property
    def present(self) -> set[int]:
        return {index for index, claims in self.claims.items() if claims > 0}


@dataclass
class Presence(Scenario):
    """Everybody sees everybody by subscription, whatever happened before."""

    counts: bool = True

    def make(self, sim: Simulation, node: SimulatedNode) -> Decider:
        def addresses() -> dict[int, str]:
            return {other.index: other.control for other in sim.nodes}

        return Watcher(node.index, addresses, node.moment, counts=self.counts)

    def finished(self, sim: Simulation) -> bool:
        everybody = set(range(len(sim.nodes)))
        return all(
            isinstance(node.decider, Watcher) and node.decider.present == everybody - {node.index} for node in sim.nodes
        )

    def check(self, sim: Simulation) -> None:
        assert self.finished(sim)
