"""What simulated nodes publish: the control and topics connections through which the others hear it.

Such a connection is seldom told of its end: it reconnects by itself, and then its subscriptions are
heard again, perhaps before the old ones are withdrawn [F 45]. What breaks takes along what is on
its way, from some point on: of what was published, and on a topics connection of what was subscribed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from meshmq.links.base import Connection, Decider, LinkName
from meshmq.testing.connections import Epoch, Subscriber, digest

if TYPE_CHECKING:
    from meshmq.testing.simulated_node import SimulatedNode
    from meshmq.testing.simulation import Simulation

#: When heartbeats find a connection dead: between these [F 15].
SILENCE: Final = (3.0, 5.0)


class Air:
    """The part of the ether in which many hear one."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.lies = sim.lies
        #: Every address that was ever listened on, with who did last.
        self.listening: dict[str, SimulatedNode] = {}
        self.blocked: dict[tuple[int, int], int] = {}

    def delay(self) -> float:
        faults = self.sim.faults
        if self.lies.random() < faults.slow and not self.sim.healed:
            return self.lies.uniform(faults.delay_most, faults.slow_most)
        return self.lies.uniform(faults.delay_least, faults.delay_most)

    def parted(self, a: SimulatedNode, b: SimulatedNode) -> bool:
        return (a.index, b.index) in self.blocked or (b.index, a.index) in self.blocked

    # What a node asks of its links.

    def publish(self, node: SimulatedNode, frames: Sequence[bytes]) -> None:
        what = digest(frames) if self.sim.trace.kept else ""
        self.sim.note(f"{node.name} publishes {what}")
        for subscriber in node.audience:
            if subscriber.link == "control" and subscriber.epoch is not None and subscriber.strings.match(frames[0]):
                self._carry_down(subscriber, subscriber.epoch, frames, f"hears {what}")

    def spread(self, node: SimulatedNode, frames: Sequence[bytes]) -> None:
        what = digest(frames) if self.sim.trace.kept else ""
        self.sim.note(f"{node.name} spreads {what}")
        for subscriber in node.audience:
            epoch = subscriber.epoch
            if subscriber.link == "topics" and epoch is not None and epoch.heard.match(frames[0]):
                self._carry_down(subscriber, epoch, frames, f"overhears {what}")

    def tune(self, node: SimulatedNode, number: Connection, added: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        subscriber = node.connections.get(number)
        if not isinstance(subscriber, Subscriber) or subscriber.link != "topics":
            return
        strings = subscriber.strings
        changes = [(string, True) for string in added if strings.add(string)]
        changes += [(string, False) for string in dropped if strings.drop(string)]
        self._carry_up(subscriber, changes)

    def _carry_down(self, subscriber: Subscriber, epoch: Epoch, frames: Sequence[bytes], what: str) -> None:
        node, number, pipe = subscriber.dialler, subscriber.number, epoch.pipe
        place, pipe.sent = pipe.sent, pipe.sent + 1

        def hand(decider: Decider, now: float) -> None:
            hearing = decider.overhear if subscriber.link == "topics" else decider.hear
            hearing(number, frames, now)

        def arrive() -> None:
            if not pipe.loses(place):
                pipe.arrived = place + 1
                self.sim.enter(node, f"c{number} {what}", hand, number)
                if subscriber.doubled_until > self.sim.now:
                    self.sim.counts["doubled"] += 1
                    node.doubled = True
                    self.sim.after(self.delay(), lambda: self.sim.enter(node, f"c{number} {what} again", hand, number))

        pipe.last = max(pipe.last, self.sim.now + self.delay())
        self.sim.at(pipe.last, arrive)

    def _carry_up(self, subscriber: Subscriber, changes: Iterable[tuple[bytes, bool]]) -> None:
        """Let the publisher hear of subscriptions, in this order: of a control connection all at once."""
        epoch, there, link = subscriber.epoch, subscriber.publisher, subscriber.link
        if epoch is None or there is None:
            return
        up = epoch.up
        for string, present in changes:
            if link == "topics" or not up.sent:
                up.last = max(up.last, self.sim.now + self.delay())
            place, up.sent = up.sent, up.sent + 1
            self.sim.at(up.last, partial(self._arrive_up, there, link, epoch, place, string, present))

    def _arrive_up(
        self, there: SimulatedNode, link: LinkName, epoch: Epoch, place: int, string: bytes, present: bool
    ) -> None:
        if epoch.over or epoch.up.loses(place):
            return
        epoch.up.arrived = place + 1
        if epoch.heard.add(string) if present else epoch.heard.drop(string):
            self._tell(there, link, string, present)

    # How connections come about and break.

    def join(self, subscriber: Subscriber) -> None:
        """Connect to where it was dialled, unless that stands; somebody who is parted tries again."""
        node = subscriber.dialler
        if subscriber.epoch is not None or node.connections.get(subscriber.number) is not subscriber:
            return
        there = self.listening[subscriber.address]
        if there.state == "dead":
            return  # whoever listens there next lets it in: see listen()
        if "stalled" in (node.state, there.state) or self.parted(node, there):
            self.sim.after(1.0, lambda: self.join(subscriber))
            return
        subscriber.epoch = Epoch()
        subscriber.publisher = there
        there.audience.append(subscriber)
        self._carry_up(subscriber, [(string, True) for string in subscriber.strings])

    def break_off(self, subscriber: Subscriber, told: float, rejoin: float | None) -> None:
        """Break a connection: its publisher is told after ``told``, it is back after ``rejoin`` seconds."""
        epoch, there = subscriber.epoch, subscriber.publisher
        subscriber.epoch = subscriber.publisher = None
        if epoch is not None and there is not None:
            there.audience.remove(subscriber)
            epoch.pipe.lose(self.lies)
            if subscriber.link == "topics":
                epoch.up.lose(self.lies)
            self.sim.after(told, lambda: self._withdraw(there, subscriber.link, epoch))
        if rejoin is not None:
            self.sim.after(rejoin, lambda: self.join(subscriber))

    def subscribers(self, node: SimulatedNode) -> list[Subscriber]:
        """Return the control and topics connections that came to ``node``, and those that it dialled."""
        return [*node.audience, *(wire for wire in node.connections.values() if isinstance(wire, Subscriber))]

    def _withdraw(self, there: SimulatedNode, link: LinkName, epoch: Epoch) -> None:
        epoch.over = True
        for string in epoch.heard:
            self._tell(there, link, string, False)

    def _tell(self, node: SimulatedNode, link: LinkName, string: bytes, present: bool) -> None:
        def hand(decider: Decider, now: float) -> None:
            telling: Callable[[bytes, bool, float], None] = decider.tuned if link == "topics" else decider.claim
            telling(string, present, now)

        what = "subscription" if link == "topics" else "claim"
        self.sim.enter(node, f"{'hears' if present else 'loses'} the {what} {string!r}", hand)
