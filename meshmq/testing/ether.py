"""What lies between simulated nodes: connections that keep their contract and nothing beyond it.

Frames of a connection arrive in order or not at all; what was sent may be lost from some point on,
in each direction separately, without a word; the end is told late, to one side, or never.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from meshmq.links.base import Connection, LinkName, Reason
from meshmq.testing.air import SILENCE, Air
from meshmq.testing.connections import Direct, Subscriber, digest

if TYPE_CHECKING:
    from meshmq.testing.simulated_node import SimulatedNode
    from meshmq.testing.simulation import Simulation

#: How long a dial waits for an answer that does not come.
DIAL_LIMIT: Final = 3.0


class Ether(Air):
    """Carries out what deciders ask of their links, and breaks it when told to."""

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        #: Direct connections that stand, for faults to choose from.
        self.directs: dict[int, Direct] = {}
        self._serials = count(1)

    # What a node asks of its links.

    def dial(
        self,
        node: SimulatedNode,
        number: Connection,
        link: LinkName,
        addresses: Sequence[str],
        strings: Sequence[bytes],
    ) -> None:
        if number % 2 or number in node.used:
            raise AssertionError(f"{node.name} dials connection {number}, which is odd or was used before")
        node.used.add(number)
        direct = link == "direct"
        wire = Direct(next(self._serials), node, number) if direct else Subscriber(link, node, number, strings)
        node.connections[number] = wire
        self.sim.after(self.delay(), lambda: self._knock(wire, link, tuple(addresses)))

    def _knock(self, wire: Direct | Subscriber, link: LinkName, addresses: Sequence[str]) -> None:
        node, number = wire.dialler, wire.number
        if node.state == "stalled":
            self.sim.after(0.1, lambda: self._knock(wire, link, addresses))
            return
        if node.state == "dead" or number not in node.connections:
            return
        reason: Reason = "unresolved"
        address = ""
        for address in addresses:
            there = self.listening.get(address)
            if there is None or (there.state == "dead" and not there.power_cut):
                reason = "refused"
            elif there.state == "dead" or self.parted(node, there):
                reason = "unreachable"
            elif not address.endswith(link):
                reason = "not_meshmq"
            elif not self.sim.healed and self.lies.random() < self.sim.faults.dial_failures:
                reason = self.lies.choice(("refused", "unreachable"))
            else:
                self._stand(wire, there, address)
                return
        self.sim.after(
            DIAL_LIMIT if reason == "unreachable" else self.delay(),
            lambda: self.sim.enter(
                node,
                f"c{number} refused: {reason} {address}",
                lambda d, now: d.refused(number, reason, address, now),
                number,
                last=True,
            ),
        )

    def _stand(self, wire: Direct | Subscriber, there: SimulatedNode, address: str) -> None:
        node, number = wire.dialler, wire.number
        self.sim.enter(node, f"c{number} reached {address}", lambda d, now: d.reached(number, address, now), number)
        if number not in node.connections:
            return
        if isinstance(wire, Subscriber):
            wire.address = address
            self.join(wire)
            return
        wire.listener = there
        wire.answering = next(there.outside)
        there.connections[wire.answering] = wire
        self.directs[wire.serial] = wire
        backlog, wire.backlog = wire.backlog, []
        for frames, what in backlog:
            self._carry(wire, wire.number, frames, what)

    def send(self, node: SimulatedNode, number: Connection, frames: Sequence[bytes]) -> bool:
        wire = node.connections.get(number)
        if not isinstance(wire, Direct) or number in wire.unsendable:
            node.connections.pop(number, None)
            return False
        what = ""
        if self.sim.trace.kept:
            what = digest(frames)
            self.sim.note(f"{node.name} c{number} sends {what}")
        self.sim.counts["sent"] += 1
        if wire.listener is None:
            wire.backlog.append((frames, what))
        else:
            self._carry(wire, number, frames, what)
        return True

    def _carry(self, wire: Direct, sender: Connection, frames: Sequence[bytes], what: str) -> None:
        pipe, other, number = wire.ends(sender)
        assert other is not None
        place, pipe.sent = pipe.sent, pipe.sent + 1

        def arrive() -> None:
            if pipe.loses(place):
                self.sim.counts["lost"] += 1
                return
            pipe.arrived = place + 1
            self.sim.counts["arrived"] += 1
            self.sim.enter(other, f"c{number} receives {what}", lambda d, now: d.receive(number, frames, now), number)
            if wire.doubled_until > self.sim.now:
                self.sim.after(self.delay(), again)

        def again() -> None:
            what_again = f"c{number} receives again {what}"
            self.sim.counts["doubled"] += 1
            other.doubled = True
            self.sim.enter(other, what_again, lambda d, now: d.receive(number, frames, now), number)

        pipe.last = max(pipe.last, self.sim.now + self.delay())
        self.sim.at(pipe.last, arrive)

    def hang_up(self, node: SimulatedNode, number: Connection, *, power_cut: bool = False) -> None:
        wire = node.connections.pop(number, None)
        if isinstance(wire, Subscriber):
            late = self.lies.uniform(*SILENCE) if power_cut else self.lies.uniform(0, 0.01)
            self.break_off(wire, late, None)
        elif wire is not None and self.directs.pop(wire.serial, None) is not None:
            pipe, other, back = wire.ends(number)
            mute = power_cut or pipe.lost_from is not None
            if self.lies.random() < 0.3:
                pipe.lose(self.lies)
            if other is not None and not mute:
                self.tell_end(wire, other, back, pipe.last)

    def tell_end(self, wire: Direct, node: SimulatedNode, number: Connection, earliest: float) -> None:
        faults, chance = self.sim.faults, self.lies.random()
        if self.sim.healed or chance >= faults.untold + faults.told_late:
            late = self.lies.uniform(0.0005, 0.01)
        elif chance < faults.untold:
            return
        else:
            late = self.lies.uniform(0.01, faults.late_most)
        moment = max(earliest, self.sim.now + late)
        if self.lies.random() < 0.5:
            self.sim.at(moment, lambda: wire.unsendable.add(number))
        elif number == wire.number or wire.there.arrived:  # nobody knows a connection that never spoke
            self.sim.at(
                moment,
                lambda: self.sim.enter(
                    node, f"c{number} ended", lambda d, now: d.ended(number, now), number, last=True
                ),
            )

    # Nodes come and go.

    def listen(self, node: SimulatedNode) -> None:
        """Let ``node`` be found at its addresses; control and topics connections that were dialled there come back."""
        self.listening[node.control] = self.listening[node.topics] = self.listening[node.direct] = node
        for other in self.sim.nodes:
            for subscriber in self.subscribers(other):
                if subscriber.address in (node.control, node.topics) and subscriber.epoch is None:
                    self.sim.after(self.lies.uniform(0.1, 1), partial(self.join, subscriber))

    def die(self, node: SimulatedNode) -> None:
        """End every connection of a dead node, told mostly within milliseconds, or not."""
        for number in list(node.connections):
            self.hang_up(node, number, power_cut=node.power_cut)
        for subscriber in list(node.audience):
            self.break_off(subscriber, 0, None)
