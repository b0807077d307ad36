"""What a simulation is about: who takes part, what they are asked to do, and what must come of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from meshmq.links.base import Decider
from meshmq.testing.faults import Faults

if TYPE_CHECKING:
    from meshmq.testing.simulated_node import SimulatedNode
    from meshmq.testing.simulation import Simulation


class Scenario:
    """``make``, ``finished`` and ``check`` are yours to write; the rest does nothing.

    One instance serves one run. What it keeps in itself outlives every node, as a disk or a witness
    does.

    A scenario that is a dataclass with defaults can be replayed from the command line with its
    fields. Whatever it raises, and whatever a decider raises, fails the run with its seed.
    """

    #: What befalls it where nothing else is said.
    faults: ClassVar[Faults] = Faults()

    def make(self, sim: Simulation, node: SimulatedNode) -> Decider:
        """Return a new participant for ``node``, which is a new incarnation at its place.

        Its randomness is ``node.random``, its clock starts at ``node.moment``, its addresses are
        ``node.control``, ``node.topics`` and ``node.direct``.
        """
        raise NotImplementedError

    def start(self, sim: Simulation) -> None:
        """Begin: all first incarnations are up. Register invariants, plan calls with ``sim.after``."""

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        """Take note that an incarnation is up, the first ones (before ``start``) and every later one."""

    def died(self, sim: Simulation, node: SimulatedNode) -> None:
        """Take note that an incarnation has crashed: what it kept in a journal is all that is left of it."""

    def on_event(self, sim: Simulation, node: SimulatedNode, woken: Sequence[tuple[Hashable, int]]) -> None:
        """Look at a node after it was handed something; ``woken`` names the waiters that may now succeed."""

    def may_crash(self, sim: Simulation, node: SimulatedNode) -> bool:
        """Say whether this node may die now; what it alone remembers dies with it."""
        return True

    def may_stall(self, sim: Simulation, node: SimulatedNode) -> bool:
        """Say whether this node may be stopped for a while now."""
        return True

    def finished(self, sim: Simulation) -> bool:
        """Say whether everything asked for has happened."""
        raise NotImplementedError

    def missing(self, sim: Simulation) -> str:
        """Say what is not finished, for who reads that a run never was."""
        return ""

    def check(self, sim: Simulation) -> None:
        """Raise ``AssertionError`` where the outcome is not what was promised."""
        raise NotImplementedError
