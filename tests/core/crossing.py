"""The bustle with devices in it: they come, go and die like everybody, and nobody's program knows of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from meshmq.core.participant import Participant
from meshmq.core.routes import Route
from meshmq.core.runs import Run
from meshmq.links.base import Decider
from meshmq.testing import SimulatedNode, Simulation
from meshmq.wire.card import Forwards
from tests.core.bustle import PULLS, Bustle, WatchedOutbox, WatchedParticipant, participant

#: The places of those who push and pull; the places after them are devices'.
USERS: Final = 5


class CrossingOutbox(WatchedOutbox):
    """An outbox that also tells what goes to a worker on another node directly, by no device."""

    def _send(self, route: Route, run: Run, backlog: int, now: float) -> list[bytes]:
        assert isinstance(self.bustle, Crossing)
        pusher = self.bustle.by_number[self.origin, run.first].pusher
        if not route.onward and route.peer != participant(pusher).node_id:
            self.bustle.direct.append(self.bustle.sim.now)
        return super()._send(route, run, backlog, now)


class CrossingParticipant(WatchedParticipant):
    """A participant whose outboxes tell of that."""

    outbox_kind = CrossingOutbox


@dataclass
class Crossing(Bustle):
    """``both`` queues are forwarded, or the red one alone.

    ``crossed`` counts what was acked through devices, ``direct`` says when something went by none.
    """

    kind: ClassVar[type[Participant]] = CrossingParticipant
    both: bool = True
    crossed: int = 0
    direct: list[float] = field(default_factory=list)
    sim: Simulation = field(init=False, repr=False)

    def start(self, sim: Simulation) -> None:
        self.sim = sim
        super().start(sim)

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
