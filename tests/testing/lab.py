"""Two simulated recorders that do what the test tells them."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.links.base import Decider
from meshmq.testing import Faults, Scenario, SimulatedNode, Simulation
from meshmq.testing.connections import Direct
from tests.testing.toys import Recorder

STILL = Faults.none(until=100)


class Blank(Scenario):
    """Recorders that do what the test tells them."""

    def make(self, sim: Simulation, node: SimulatedNode) -> Decider:
        return Recorder()

    def finished(self, sim: Simulation) -> bool:
        return True

    def check(self, sim: Simulation) -> None: ...


class Lab:
    """A simulation of two recorders, and short ways to what they do and hear."""

    def __init__(self, faults: Faults = STILL) -> None:
        self.sim = Simulation(1, Blank(), nodes=2, faults=faults)
        self.a, self.b = self.sim.nodes

    def heard(self, node: SimulatedNode) -> Recorder:
        assert isinstance(node.decider, Recorder)
        return node.decider

    def does(self, node: SimulatedNode, *outputs: tuple[object, ...]) -> bool:
        return self.sim.call(node, "as told", lambda decider, now: decider.outputs.extend(outputs))

    def dial(self, address: str, link: str = "direct", strings: Sequence[bytes] = (), number: int = 0) -> None:
        self.does(self.a, ("dial", number, link, [address], strings))
        self.pass_time()

    def wire(self) -> Direct:
        (wire,) = self.sim.ether.directs.values()
        return wire

    def pass_time(self, seconds: float = 0.1) -> None:
        self.sim.run(until=self.sim.now + seconds)

    def numbers(self, node: SimulatedNode) -> list[int]:
        return [int(frames[0]) for _, frames in self.heard(node).of("receive")]  # type: ignore[index]  # a log of objects


def connected() -> Lab:
    """Two recorders with one direct connection on which each has heard a zero."""
    lab = Lab()
    lab.dial(lab.b.direct)
    lab.does(lab.a, ("send", 0, [b"0"]))
    lab.pass_time()
    lab.does(lab.b, ("send", 1, [b"0"]))
    lab.pass_time()
    assert lab.numbers(lab.a) == lab.numbers(lab.b) == [0]
    return lab
