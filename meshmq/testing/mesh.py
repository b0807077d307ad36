"""A simulated mesh: participants that hear of each other, as discovery would tell them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from meshmq.core.participant import Participant
from meshmq.links.base import Decider
from meshmq.settings import Settings
from meshmq.testing.scenario import Scenario
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.simulation import Simulation


@dataclass
class Mesh(Scenario):
    """Everybody is told of everybody at a start, and again every ``refresh`` seconds (0: never).

    The node at place ``hidden`` can dial all others and be dialled by none, as behind a NAT.
    """

    refresh: float = 20.0
    hidden: int = -1
    settings: ClassVar[Settings] = Settings()
    kind: ClassVar[type[Participant]] = Participant

    def make(self, sim: Simulation, node: SimulatedNode) -> Participant:
        return self.kind(
            node_id=node.random.randbytes(16),
            name=f"n{node.index}",
            mesh="simulated",
            settings=self.settings,
            random=node.random,
            control=(self._told(node.control),),
            direct=(self._told(node.direct),),
            topics=(self._told(node.topics),),
            now=node.moment,
        )

    def _told(self, address: str) -> str:
        return address.replace(f"//{self.hidden}.", "//nowhere.")

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        for other in sim.nodes:
            if other is not node:
                sim.after(sim.random.uniform(0, 0.05), partial(self._find, sim, node.index, other.index))
                sim.after(sim.random.uniform(0, 0.05), partial(self._find, sim, other.index, node.index))

    def start(self, sim: Simulation) -> None:
        if self.refresh:
            sim.after(self.refresh, partial(self._refresh, sim))

    def _refresh(self, sim: Simulation) -> None:
        for node in sim.nodes:
            for other in sim.nodes:
                if other is not node:
                    self._find(sim, node.index, other.index)
        sim.after(self.refresh, partial(self._refresh, sim))

    def _find(self, sim: Simulation, index: int, other: int) -> None:
        if other == self.hidden:
            return
        address = sim.nodes[other].control

        def find(decider: Decider, now: float) -> None:
            assert isinstance(decider, Participant)
            decider.found((address,), "simulated", None, now)

        sim.call(sim.nodes[index], f"find {address}", find)
