"""The bustle with devices in it: they come, go and die like everybody, and nobody's program knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshmq.links.base import Decider
from meshmq.testing import SimulatedNode, Simulation
from meshmq.wire.card import Forwards
from tests.core.bustle import PULLS, Bustle, participant

#: The places of those who push and pull; the places after them are devices'.
USERS: Final = 5


@dataclass
class Crossing(Bustle):
    """``both`` queues are forwarded, or the red one alone. ``crossed`` counts what was acked through devices."""

    both: bool = True
    crossed: int = 0

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        super().joined(sim, node)
        if node.index >= USERS:
            queues = tuple(sorted(PULLS)) if self.both else ("red",)
            sim.after(sim.random.uniform(0, 1), lambda: self._forward(sim, node, Forwards(queues)))

    def _forward(self, sim: Simulation, node: SimulatedNode, names: Forwards) -> None:
        def forward(_: Decider, now: float) -> None:
            participant(node).relay.forward(names, now)

        sim.call(node, "forward", forward)

    def pushers(self, sim: Simulation) -> list[SimulatedNode]:
        return sim.nodes[:USERS]

    def check(self, sim: Simulation) -> None:
        super().check(sim)
        for node in sim.nodes[USERS:]:
            for transit in participant(node).relay.queues.values():
                assert not transit.here, f"{transit} at rest"
                self.crossed += transit.acked
