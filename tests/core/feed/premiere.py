"""A premiere: silent publishers and an audience that is ready for them, while nodes stand still and messages are slow.

What is published after a subscription was ready, by who was here then, is done by a member of the group; and heard, or
told as missed, by whoever was asked so slowly that the publisher had grown up meanwhile.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, Final

from meshmq.core.feed.groups import group_queue
from meshmq.core.feed.subscription import Subscription
from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.links.base import Decider
from meshmq.testing import Faults, Mesh, SimulatedNode, Simulation
from meshmq.testing.books import audit

PUBLISHERS: Final = 2
TOPIC: Final = "play"


@dataclass(slots=True, eq=False)
class Spectator:
    """One subscription, or the only member of a group, and what it heard."""

    node: SimulatedNode
    subscription: Subscription
    #: Who was here when it was ready.
    ready: frozenset[bytes] | None = None
    heard: set[bytes] = field(default_factory=set)


@dataclass
class Premiere(Mesh):
    """Two nodes publish ``messages`` each, most as soon as somebody is ready; the others listen."""

    #: Ways are slow and nodes stand still; no connection ends.
    faults: ClassVar[Faults] = replace(
        Faults.none(until=6.0), slow=0.2, slow_most=1.0, stalls=1.0, stall_most=2.0, lateness=0.02
    )
    messages: int = 5
    spectators: list[Spectator] = field(default_factory=list)
    #: What each of the spectators is to hear.
    promised: dict[Spectator, list[bytes]] = field(default_factory=dict)
    published: int = 0
    #: The places of those who have published.
    begun: set[int] = field(default_factory=set)

    def make(self, sim: Simulation, node: SimulatedNode) -> Participant:
        participant = super().make(sim, node)
        participant.looked = True
        return participant

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        super().joined(sim, node)
        if node.index >= PUBLISHERS:
            sim.after(sim.random.choice((0.1, 0.5)) * sim.random.random(), partial(self._sit_down, sim, node))

    def start(self, sim: Simulation) -> None:
        super().start(sim)
        for node in sim.nodes[:PUBLISHERS]:
            sim.after(3.0 * sim.random.random(), partial(self._begin, sim, node))

    def _begin(self, sim: Simulation, node: SimulatedNode) -> None:
        if node.index not in self.begun:
            self.begun.add(node.index)
            self._publish(sim, node, 0)

    def _publish(self, sim: Simulation, node: SimulatedNode, number: int) -> None:
        def publish(_: Decider, now: float) -> None:
            body = b"%d of %d" % (number, node.index)
            for one in self.spectators:
                if one.ready is not None and of(node).node_id in one.ready:
                    self.promised.setdefault(one, []).append(body)
            of(node).feed.publish(TOPIC, body, (), None, now)

        if node.state != "up":
            sim.after(0.1, partial(self._publish, sim, node, number))
            return
        sim.call(node, "publish", publish)
        self.published += 1
        if number + 1 < self.messages:
            pause = sim.random.choice((0.0, 0.01, 0.5)) * sim.random.random()
            sim.after(pause, partial(self._publish, sim, node, number + 1))

    def _sit_down(self, sim: Simulation, node: SimulatedNode) -> None:
        if node.state != "up":
            sim.after(0.1, partial(self._sit_down, sim, node))
            return
        queue = group_queue(f"group-{node.index}", [TOPIC])  # of which it is the only member
        grouped = sim.random.random() < 0.5

        def subscribe(_: Decider, now: float) -> None:
            if grouped:
                of(node).open_queue(queue, None, now)
                subscription = of(node).feed.join(queue, [TOPIC], now)
            else:
                subscription = of(node).feed.subscribe(
                    [TOPIC],
                    since=None,
                    latest=False,
                    overflow="drop_oldest",
                    capacity=1_000,
                    capacity_bytes=1 << 26,
                    now=now,
                )
            self.spectators.append(Spectator(node, subscription))
            self._look(sim, self.spectators[-1])

        sim.call(node, "subscribe", subscribe)

    def _look(self, sim: Simulation, one: Spectator) -> None:
        """See whether it is ready, and take what has come."""

        def look(_: Decider, now: float) -> None:
            if one.ready is None and of(one.node).feed.ready(one.subscription, now):
                one.ready = frozenset(of(one.node).roster)
                for node in sim.nodes[:PUBLISHERS]:
                    sim.after(0.02 * sim.random.random(), partial(self._begin, sim, node))
            if one.subscription.group is not None:
                self._work(one, one.subscription.group, now)
            while (leaf := of(one.node).feed.take(one.subscription, "me", now, 100)) is not None:
                one.heard.update(bytes(leaf.span.news.body(place)) for place in range(leaf.span.start, leaf.span.end))
                one.subscription.finish(leaf)

        if one.node.state == "up":
            sim.call(one.node, "look", look)
        sim.after(0.005 if one.ready is None else sim.random.uniform(0.01, 0.2), partial(self._look, sim, one))

    def _work(self, one: Spectator, queue: str, now: float) -> None:
        while True:
            try:
                hand = of(one.node).take(queue, "me", now, 1)
            except WouldBlock:
                return
            one.heard.add(bytes(hand.batch.body(hand.position)))
            of(one.node).finish(queue, hand, now)

    def on_event(self, sim: Simulation, node: SimulatedNode, woken: Sequence[tuple[Hashable, int]]) -> None:
        if node.state == "up":
            audit(node)

    def finished(self, sim: Simulation) -> bool:
        return sim.healed and self.published == PUBLISHERS * self.messages and not self.missing(sim)

    def missing(self, sim: Simulation) -> str:
        return ", ".join(
            f"{one.node.name} of {one.subscription!r}: {missed}"
            for one, bodies in self.promised.items()
            if len(missed := [body for body in bodies if body not in one.heard]) > one.subscription.missed
        )

    def check(self, sim: Simulation) -> None:
        assert not (missing := self.missing(sim)), missing


def of(node: SimulatedNode) -> Participant:
    """Return the participant of a node of this scenario."""
    assert isinstance(node.decider, Participant)
    return node.decider
