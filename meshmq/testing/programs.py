"""The scenario of programs: what runs on each node is an ordinary coroutine on an ordinary ``AsyncNode``."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Final

from meshmq.core.participant import Participant
from meshmq.faces.aio import AsyncNode
from meshmq.names import counted
from meshmq.testing.books import audit
from meshmq.testing.disk import Disk
from meshmq.testing.local_clock import WallClock
from meshmq.testing.mesh import Mesh
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.simulation import Simulation
from meshmq.testing.virtual_node import VirtualNode
from meshmq.testing.watched import LATE, WatchedParticipant
from meshmq.testing.witness import Witness
from meshmq.wire.card import Forwards

#: How long a supervisor takes to begin a process anew.
AWAY: Final = 0.1


@dataclass
class Programs(Mesh):
    """``main(node, index)`` is yours to write, and mostly ``done`` and ``check``; whatever it raises fails the run.

    ``main`` runs once on each incarnation of each node: the node at ``index`` starts again, with nothing of what it
    knew, after a crash. What the scenario itself keeps outlives every node. Time is virtual: ``asyncio.sleep``,
    ``asyncio.timeout`` and every timeout of the node wait by the node's own clock, and cost nothing.

    After every event these hold, or the run fails: no job is acked that nobody has finished, within its lease if it
    has one; of all executions of one job at most one is not flagged as a repeat; no job begins while one of its key
    that was pushed before is not done; none goes out before its time, or after as many failures as it may have; no
    dead letter is lost that was in a journal. After every ``thrift`` events the books of the node balance (each job
    stands in one place; nothing is sent beyond credit; buffers are within their bounds), and every call is over soon
    after its timeout. When faults have ended, everybody must see everybody and all jobs must be done, within the
    ``patience`` of ``simulate``.

    With ``journals`` every place has a disk, a journal that outlives its nodes: what was pushed with ``durable=True``
    comes back. ``disks[index].full = True`` fills one up; ``walls[index].jump(seconds)`` sets the clock on the wall,
    by which ``at=`` is reckoned, and what a journal keeps.

    The last ``devices`` nodes stand between the others, for ``forwards``; no program runs on them.
    """

    kind: ClassVar[type[Participant]] = WatchedParticipant
    forwards: ClassVar[Forwards] = Forwards()
    devices: int = 0
    journals: bool = False
    thrift: int = 8
    witness: Witness = field(default_factory=Witness)
    #: Every incarnation that ever was; kept, so that none is cleared away at a moment that nobody knows.
    incarnations: dict[str, VirtualNode] = field(default_factory=dict)
    disks: dict[int, Disk] = field(default_factory=dict)
    walls: dict[int, WallClock] = field(default_factory=dict)
    sim: Simulation = field(init=False, repr=False)

    async def main(self, node: AsyncNode, index: int) -> None:
        """Do what one incarnation of the node at place ``index`` does."""
        raise NotImplementedError

    def done(self) -> bool:
        """Say whether everything that the programs were to do has happened."""
        return True

    def check(self, sim: Simulation) -> None:
        """Raise ``AssertionError`` where the outcome is not what was promised."""

    def nodes(self) -> list[VirtualNode]:
        """Return the newest incarnation at every place, for their ``stats()`` and ``peers()``."""
        return [self.incarnations[node.name] for node in self.sim.nodes]

    # What the simulation asks.

    def make(self, sim: Simulation, node: SimulatedNode) -> Participant:
        self.sim = sim
        participant = super().make(sim, node)
        assert isinstance(participant, WatchedParticipant)
        wall = self.walls.setdefault(node.index, WallClock(lambda: sim.now))
        participant.sim, participant.node, participant.wall = sim, node, wall
        participant.witness = self.witness
        participant.looked = True
        disk = self.disks.setdefault(node.index, Disk(sim, wall)) if self.journals else None
        if disk is not None:
            disk.open(node, participant)
        self.incarnations[node.name] = VirtualNode(sim, node, participant, wall, disk)
        return participant

    def died(self, sim: Simulation, node: SimulatedNode) -> None:
        if self.journals:
            kept = self.disks[node.index].crash()
            self.witness.ends.crashed(f"n{node.index}", kept)

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        super().joined(sim, node)
        virtual = self.incarnations[node.name]

        def begin(_: object, now: float) -> None:
            if node.index >= len(sim.nodes) - self.devices:
                virtual.device(
                    queues=self.forwards.queues, services=self.forwards.services, topics=self.forwards.topics
                )
            else:
                virtual.begin(partial(self.main, virtual, node.index))

        sim.call(node, "begin", begin)

    def kill(self, node: AsyncNode, *, power_cut: bool = False) -> bool:
        """End the process of a node, and soon begin another in its place, as a supervisor does; whether it was there.

        Not from within a program, which would be at work in it: by ``sim.at`` or ``sim.after``.
        """
        for one in self.sim.nodes:
            if self.incarnations[one.name] is node and one.state != "dead":
                self.sim.crash(one, power_cut=power_cut)
                self.sim.after(AWAY, partial(self._begin_again, one))
                return True
        return False

    def _begin_again(self, node: SimulatedNode) -> None:
        self.sim.restart(node, same_address=True)

    def on_event(self, sim: Simulation, node: SimulatedNode, woken: Sequence[tuple[Hashable, int]]) -> None:
        if woken:
            node.woken[:0] = woken
            self.incarnations[node.name].engine.wake()
        if not sim.events % self.thrift:
            audit(node)
            if sim.now - node.disturbed_at > LATE:
                self._no_call_is_late(node)

    def _no_call_is_late(self, node: SimulatedNode) -> None:
        for call in self.incarnations[node.name].participant.calls.caller._calls.values():
            late = node.moment - (call.deadline if call.deadline is not None else node.moment)
            assert late < LATE, f"{call!r} of {node.name} goes on {late:.3f} s after its timeout"

    def finished(self, sim: Simulation) -> bool:
        return not any(self._lacking()) and self.done()

    def missing(self, sim: Simulation) -> str:
        return ", ".join([*self._lacking(), *([] if self.done() else ["done() says no"])])

    def _lacking(self) -> Iterator[str]:
        participants = [node.participant for node in self.nodes()]
        for one in participants:
            name = one.presence.card.name
            for outbox in one.outboxes.values():
                if count := outbox.depth + len(outbox.tray.jobs):
                    yield f"{name} has {counted(count, 'job')} of {outbox.queue!r} that are not done"
            for other in participants:
                if other is not one and other.node_id not in one.roster:
                    yield f"{name} does not see {other.presence.card.name}"
            if len(one.roster) >= len(participants):
                yield f"{name} sees {counted(len(one.roster), 'peer')}"
