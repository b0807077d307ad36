"""What lies between simulated nodes: connections that keep their contract and nothing beyond it.

Frames of a connection arrive in order or not at all; what was sent may be lost from some point on,
in each direction separately, without a word; the end is told late, to one side, or never. A control
connection is seldom told of its end: it reconnects by itself, and then its subscriptions are heard
again, perhaps before the old ones are withdrawn [F 45].
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from meshmq.links.base import Connection, LinkName, Reason
from meshmq.testing.connections import Control, Direct, Epoch, digest

if TYPE_CHECKING:
    from meshmq.testing.simulation import SimulatedNode, Simulation

#: How long a dial waits for an answer that does not come.
DIAL_LIMIT: Final = 3.0
#: When heartbeats find a control connection dead: between these [F 15].
SILENCE: Final = (3.0, 5.0)


class Ether:
    """Carries out what deciders ask of their links, and breaks it when told to."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.lies = sim.lies
        #: Every address that was ever listened on, with who did last.
        self.listening: dict[str, SimulatedNode] = {}
        #: Direct connections that stand, for faults to choose from.
        self.directs: dict[int, Direct] = {}
        self.blocked: dict[tuple[int, int], int] = {}
        self._serials = count(1)

    def delay(self) -> float:
        faults = self.sim.faults
        if self.lies.random() < faults.slow and not self.sim.healed:
            return self.lies.uniform(faults.delay_most, faults.slow_most)
        return self.lies.uniform(faults.delay_least, faults.delay_most)

    def parted(self, a: SimulatedNode, b: SimulatedNode) -> bool:
        return (a.index, b.index) in self.blocked or (b.index, a.index) in self.blocked

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
        wire = Direct(next(self._serials), node, number) if link == "direct" else Control(node, number, strings)
        node.connections[number] = wire
        self.sim.after(self.delay(), lambda: self._knock(wire, link, tuple(addresses)))

    def _knock(self, wire: Direct | Control, link: LinkName, addresses: Sequence[str]) -> None:
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

    def _stand(self, wire: Direct | Control, there: SimulatedNode, address: str) -> None:
        node, number = wire.dialler, wire.number
        self.sim.enter(node, f"c{number} reached {address}", lambda d, now: d.reached(number, address, now), number)
        if number not in node.connections:
            return
        if isinstance(wire, Control):
            wire.address = address
            self._join(wire)
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

        pipe.last = max(pipe.last, self.sim.now + self.delay())
        self.sim.at(pipe.last, arrive)

    def publish(self, node: SimulatedNode, frames: Sequence[bytes]) -> None:
        what = digest(frames)
        self.sim.note(f"{node.name} publishes {what}")
        for control in node.audience:
            if control.epoch is not None and any(frames[0].startswith(string) for string in control.strings):
                self._spread(control, control.epoch, frames, what)

    def _spread(self, control: Control, epoch: Epoch, frames: Sequence[bytes], what: str) -> None:
        node, number, pipe = control.dialler, control.number, epoch.pipe
        place, pipe.sent = pipe.sent, pipe.sent + 1

        def arrive() -> None:
            if not pipe.loses(place):
                pipe.arrived = place + 1
                self.sim.enter(node, f"c{number} hears {what}", lambda d, now: d.hear(number, frames, now), number)

        pipe.last = max(pipe.last, self.sim.now + self.delay())
        self.sim.at(pipe.last, arrive)

    def hang_up(self, node: SimulatedNode, number: Connection, *, power_cut: bool = False) -> None:
        wire = node.connections.pop(number, None)
        if isinstance(wire, Control):
            late = self.lies.uniform(*SILENCE) if power_cut else self.lies.uniform(0, 0.01)
            self.break_control(wire, late, None)
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

    # Control connections.

    def _join(self, control: Control) -> None:
        node = control.dialler
        if control.epoch is not None or node.connections.get(control.number) is not control:
            return
        there = self.listening[control.address]
        if there.state == "dead":
            return  # whoever listens there next lets it in: see listen()
        if "stalled" in (node.state, there.state) or self.parted(node, there):
            self.sim.after(1.0, lambda: self._join(control))
            return
        epoch = control.epoch = Epoch()
        control.publisher = there
        there.audience.append(control)
        moment = self.sim.now + self.delay()
        for string in control.strings:
            self.sim.at(moment, partial(self._claim, there, epoch, string))

    def _claim(self, node: SimulatedNode, epoch: Epoch, string: bytes) -> None:
        if not epoch.over:
            epoch.heard.append(string)
            self._tell_claim(node, string, present=True)

    def _withdraw(self, node: SimulatedNode, epoch: Epoch) -> None:
        epoch.over = True
        for string in epoch.heard:
            self._tell_claim(node, string, present=False)

    def _tell_claim(self, node: SimulatedNode, string: bytes, *, present: bool) -> None:
        what = f"{'hears the claim' if present else 'loses the claim'} {string!r}"
        self.sim.enter(node, what, lambda d, now: d.claim(string, present, now))

    def break_control(self, control: Control, told: float, rejoin: float | None) -> None:
        """Break a control connection: its publisher is told after ``told``, it is back after ``rejoin`` seconds."""
        epoch, there = control.epoch, control.publisher
        control.epoch = control.publisher = None
        if epoch is not None and there is not None:
            there.audience.remove(control)
            epoch.pipe.lose(self.lies)
            self.sim.after(told, lambda: self._withdraw(there, epoch))
        if rejoin is not None:
            self.sim.after(rejoin, lambda: self._join(control))

    def controls(self, node: SimulatedNode) -> list[Control]:
        """Return the control connections that ``node`` dialled, and those that came to it."""
        return [*node.audience, *(wire for wire in node.connections.values() if isinstance(wire, Control))]

    # Nodes come and go.

    def listen(self, node: SimulatedNode) -> None:
        """Let ``node`` be found at its addresses; control connections that were dialled there come back."""
        self.listening[node.control] = self.listening[node.direct] = node
        for other in self.sim.nodes:
            for control in self.controls(other):
                if control.address == node.control and control.epoch is None:
                    self.sim.after(self.lies.uniform(0.1, 1), partial(self._join, control))

    def die(self, node: SimulatedNode) -> None:
        """End every connection of a dead node, told mostly within milliseconds, or not."""
        for number in list(node.connections):
            self.hang_up(node, number, power_cut=node.power_cut)
        for control in list(node.audience):
            self.break_control(control, 0, None)
