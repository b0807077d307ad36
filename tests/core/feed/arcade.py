"""The market with devices in it: they come, go and die like everybody, and nobody's program knows of them.

Devices publish and subscribe, too. However news come, every number is heard or told as missed, in order, once; and
when all is quiet they come through the device that everybody chooses, and by no other way.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Final

from meshmq.core.participant import Participant
from meshmq.links.base import Decider
from meshmq.testing import SimulatedNode, Simulation
from meshmq.wire.card import Forwards
from tests.core.feed.market import Listener, Market

#: The places of those who only publish and subscribe; the places after them are devices'.
USERS: Final = 4
#: What the devices stand before, in turns.
PATTERNS: Final = (("**",), ("a", "a.**", "b"))


@dataclass
class Arcade(Market):
    """Of ``leaves`` devices each second one says goodbye, and another comes to its place.

    ``crossed`` counts the messages that were heard through devices. Where the network is without faults it is to be
    ``strict``: nothing that those who are here have published is missed, however often ways change.
    """

    leaves: float = 0.15
    strict: bool = False
    crossed: int = 0

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        super().joined(sim, node)
        if node.index >= USERS:
            sim.after(sim.random.uniform(0, 1), partial(self._forward, sim, node))

    def _forward(self, sim: Simulation, node: SimulatedNode) -> None:
        def forward(_: Decider, now: float) -> None:
            participant(node).relay.forward(Forwards(topics=PATTERNS[node.index % len(PATTERNS)]), now)

        if sim.nodes[node.index] is node and node.state != "dead":
            sim.call(node, "forward", forward)

    def start(self, sim: Simulation) -> None:
        super().start(sim)
        moment = 0.0
        while self.leaves and (moment := moment + sim.random.expovariate(self.leaves)) < sim.faults.until:
            sim.at(moment, partial(self._leave, sim))

    def _leave(self, sim: Simulation) -> None:
        """Let a device drain, and say goodbye when nobody hears anything through it, or after a while."""
        node = sim.random.choice(sim.nodes[USERS:])
        if node.state != "up" or participant(node).presence.card.state != "up":
            return
        sim.call(node, "drain", lambda _, now: participant(node).drain(now))
        sim.after(0.1, partial(self._farewell, sim, node, sim.now + 5))

    def _farewell(self, sim: Simulation, node: SimulatedNode, latest: float) -> None:
        if node.state == "stalled" or (node.state == "up" and self._owes(sim, node) and sim.now < latest):
            sim.after(0.1, partial(self._farewell, sim, node, latest))
        elif node.state == "up":
            needed = participant(node).relay.topics.owes()
            assert not (needed and self.strict), f"{node.name} has to leave while news come through it"
            sim.call(node, "farewell", lambda _, now: participant(node).farewell(now))
            sim.after(0.05, partial(self._follow, sim, node))

    def _owes(self, sim: Simulation, node: SimulatedNode) -> bool:
        owing: list[bool] = []
        sim.call(node, "owes?", lambda _, now: owing.append(participant(node).owes(now)))
        return any(owing)

    def _follow(self, sim: Simulation, node: SimulatedNode) -> None:
        if node.state != "dead":
            sim.crash(node)
            sim.restart(node, same_address=sim.random.random() < 0.5)

    def finished(self, sim: Simulation) -> bool:
        return super().finished(sim) and not self._astray(sim)

    def check(self, sim: Simulation) -> None:
        super().check(sim)
        assert not (astray := self._astray(sim)), "\n".join(astray)
        self.crossed = sum(listener.crossed for listener in self.listeners)
        self._nothing_is_asked_for_in_vain(sim)
        here = {participant(node).node_id for node in sim.nodes}
        for listener in self._alive(sim) if self.strict else ():
            subscription = listener.subscription
            # Who asks for the oldest that is kept may get a part of what the young keep for others.
            if subscription.capacity >= 10_000 and not subscription.latest and subscription.since is None:
                missed = [
                    key for key, heard in listener.heard.items() if key[0] in here and any(gap for _, gap in heard)
                ]
                assert not missed, f"{listener.node.name} missed of {missed}"

    def _nothing_is_asked_for_in_vain(self, sim: Simulation) -> None:
        """What devices are asked for is what their subscribers want now, counted."""
        asked: dict[bytes, dict[bytes, Counter[bytes]]] = {}
        for node in sim.nodes:
            for publisher, tap in participant(node).feed.subscriber.taps.items():
                for device, path in tap.detours.items():
                    asked.setdefault(device, {}).setdefault(publisher, Counter()).update(list(path.strings))
        for node in sim.nodes[USERS:]:
            topics = participant(node).relay.topics
            assert topics.wanted == asked.get(participant(node).node_id, {})
            assert set(topics.upstreams) == set(topics.wanted)

    def _astray(self, sim: Simulation) -> list[str]:
        """Say which news come by another way than they should."""
        return [word for listener in self._alive(sim) for word in self._ways(sim, listener)]

    def _ways(self, sim: Simulation, listener: Listener) -> list[str]:
        node, subscription = participant(listener.node), listener.subscription
        astray = []
        for publisher, tap in node.feed.subscriber.taps.items():
            if tap.own or tap.unreachable:
                continue
            device = self._device(sim, listener, publisher)
            for string in subscription.prefixes:
                brought = [one for one, path in tap.detours.items() if path.brings(string)]
                wants = string in tap.tuner.strings
                if device is not None and device not in brought:
                    astray.append(f"{node!r} does not hear {string!r} of {tap!r} through {device.hex()[:8]}")
                if device is None and not (wants and tap.connection is not None):
                    astray.append(f"{node!r} does not hear {string!r} of {tap!r} directly")
        ways = {b"" if one is None else one for one in self._all_ways(sim, listener)}
        detours = node.feed.subscriber.detours
        if set(detours.by_connection.values()) - ways:
            astray.append(f"{node!r} still has {detours!r}")
        return astray

    def _all_ways(self, sim: Simulation, listener: Listener) -> set[bytes | None]:
        others = [one for one in self._alive(sim) if one.node is listener.node]
        taps = participant(listener.node).feed.subscriber.taps
        return {self._device(sim, one, publisher) for one in others for publisher in taps}

    def _device(self, sim: Simulation, listener: Listener, publisher: bytes) -> bytes | None:
        """Return the device through which a subscription's news of a publisher should come."""
        node = participant(listener.node)
        if node.relay.topics.counts:
            return None
        return node.feed.subscriber.detours.choose(listener.subscription.patterns, publisher) or None


def participant(node: SimulatedNode) -> Participant:
    """Return the participant of a node of this scenario."""
    assert isinstance(node.decider, Participant)
    return node.decider
