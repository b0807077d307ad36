"""An ``AsyncNode`` whose participant lives in a simulation: the face that programs use, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from meshmq.errors import ConfigError
from meshmq.faces.aio import AsyncNode
from meshmq.faces.aio_crews import TaskCrew
from meshmq.handling import Crew
from meshmq.incarnation import Closable
from meshmq.links.engine import Engine
from meshmq.links.loop_timer import LoopTimer
from meshmq.names import NodeId
from meshmq.pulling import Jobs
from meshmq.supply import Supply
from meshmq.testing.disk import Disk
from meshmq.testing.local_clock import WallClock
from meshmq.testing.virtual_engine import VirtualEngine
from meshmq.testing.virtual_loop import VirtualLoop
from meshmq.testing.watched import WatchedConsumer, WatchedParticipant

if TYPE_CHECKING:
    from meshmq.testing.simulated_node import SimulatedNode
    from meshmq.testing.simulation import Simulation

SILENT: Final = 1e6


class VirtualNode(AsyncNode):
    """One incarnation of a simulated node, open from the first; handlers have to be ``async``."""

    def __init__(
        self,
        sim: Simulation,
        node: SimulatedNode,
        participant: WatchedParticipant,
        wall: WallClock,
        disk: Disk | None = None,
    ) -> None:
        card = participant.presence.card
        # Whoever waits for some virtual seconds has no need to be told: they are over at once.
        patient = replace(participant.settings, first_word=SILENT)
        super().__init__(card.name, mesh=card.mesh, settings=patient)
        # It is abstract by all that it has not: sockets, pipes, signals, processes.
        self.loop: VirtualLoop = cast(Any, VirtualLoop)(sim, node)
        self.engine = VirtualEngine(sim, node, self.loop)
        self._id = NodeId(participant.node_id)
        self.participant = participant
        self._participant, self._engine = participant, cast(Engine, self.engine)
        self._loop, self._timer = self.loop, LoopTimer(self.loop)
        participant.gathers = node.index % 2 == 1  # what one turn of the loop asks goes together, at half of the nodes
        self.disk = disk
        self._journal = "simulated" if disk is not None else None
        self._clock, self._wall = self.loop.time, wall

    def _hold(self, receiver: Closable, supply: Supply[Any]) -> None:
        if isinstance(supply, Jobs):
            supply.consumers = WatchedConsumer
        super()._hold(receiver, supply)

    def _man(self, crew: Crew[Any, Any], receiver: Closable) -> None:
        if not isinstance(crew, TaskCrew):
            raise ConfigError(
                f"{crew.handler.name} is a plain function: in a simulation there are no threads, make it async"
            )
        super()._man(crew, receiver)

    def _open_journal(self) -> None:
        """Nothing: the disk is there from the first."""

    def _close_journal(self, timeout: float = 0.0) -> None:
        if self.disk is not None:
            self.disk.close()

    def _start(self, crew: Crew[Any, Any]) -> None:
        crew.start()  # without a watchdog, which looks at the time of the machine

    def _abandon(self, limit: float) -> None:
        """Nothing: no process of its own ends."""

    def begin(self, program: Callable[[], Any]) -> None:
        """Run a program as a task of this node; what it raises fails the run."""
        self.loop.call_soon(lambda: self.loop.create_task(program()).add_done_callback(self._ended))

    def _ended(self, task: Any) -> None:
        if not task.cancelled() and task.exception() is not None and not self.engine.closed:
            self.loop.failure = task.exception()
