"""A simulated market: everybody cries what is new and listens to others, while the network does what it likes.

Some publishers keep everything (``kept``): of those nobody who asked from the first on misses anything. Of the
others each number is heard or told as missed, in order, once.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Final

from meshmq.core.feed.feed import Feed
from meshmq.core.feed.flow import Flow
from meshmq.core.feed.series import Shelf
from meshmq.core.feed.subscription import Span, Subscription
from meshmq.core.participant import Participant
from meshmq.history import History
from meshmq.links.base import Decider
from meshmq.testing import Mesh, SimulatedNode, Simulation
from meshmq.testing.books import audit

TOPICS: Final = ("a", "a.b", "a.c", "b")
#: Who subscribes to what, with which options: from the second place on everybody does.
WANTED: Final[tuple[tuple[tuple[str, ...], dict[str, object]], ...]] = (
    (("**",), {"since": "first"}),
    (("a.*",), {}),
    (("a", "a.**", "b"), {"capacity": 20}),
    (("**",), {"latest": True}),
)


@dataclass(slots=True, eq=False)
class Listener:
    """What one subscription of one incarnation heard."""

    node: SimulatedNode
    subscription: Subscription
    wanted: int
    #: By publisher, epoch and topic: the numbers heard, each with its gap.
    heard: dict[tuple[bytes, int, str], list[tuple[int, int]]] = field(default_factory=dict)
    #: How many of them came through devices.
    crossed: int = 0


@dataclass
class Market(Mesh):
    """``messages`` are published within ``seconds``; ``kept``: whether publishers keep everything.

    Of large values a publisher keeps ``tight`` bytes, where that is not 0, and as many of those under way.
    """

    refresh: float = 5.0
    messages: int = 300
    seconds: float = 12.0
    kept: bool = True
    large: float = 0.05
    tight: int = 0
    listeners: list[Listener] = field(default_factory=list)

    def make(self, sim: Simulation, node: SimulatedNode) -> Participant:
        participant = super().make(sim, node)
        assert isinstance(participant, Participant)
        participant.looked = True
        publisher = participant.feed.publisher
        if self.tight:
            publisher.large, publisher.overhang.most = Shelf(self.tight), self.tight
        return participant

    def joined(self, sim: Simulation, node: SimulatedNode) -> None:
        super().joined(sim, node)
        if self.kept:
            sim.call(node, "retain", lambda d, now: _feed(d).retain("**", History(messages=100_000), now))
        wanted = sim.random.randrange(len(WANTED))
        sim.after(sim.random.uniform(0, 3), partial(self._subscribe, sim, node, wanted))

    def start(self, sim: Simulation) -> None:
        for number in range(self.messages):
            sim.after(sim.random.uniform(0, self.seconds), partial(self._publish, sim, number))
        super().start(sim)
        sim.invariant(_audit_subscriptions, every=8)

    def _publish(self, sim: Simulation, number: int) -> None:
        node = sim.random.choice(sim.nodes)
        topic = sim.random.choice(TOPICS)
        size = sim.random.choice((100_000, 400_000)) if sim.random.random() < self.large else 10
        body = b"%d" % number + b"x" * size
        burst = sim.random.choice((1, 1, 5, 40))
        for _ in range(burst if size == 10 else 1):
            sim.call(node, f"publish {topic}", lambda d, now: _feed(d).publish(topic, body, (), None, now))

    def _subscribe(self, sim: Simulation, node: SimulatedNode, wanted: int) -> None:
        if sim.nodes[node.index] is not node or node.state == "dead":
            return
        patterns, options = WANTED[wanted]
        given = {
            "since": None,
            "latest": False,
            "overflow": "drop_oldest",
            "capacity": 10_000,
            "capacity_bytes": 1 << 26,
        }

        def subscribe(d: Decider, now: float) -> None:
            subscription = _feed(d).subscribe(patterns, now=now, **{**given, **options})  # type: ignore[arg-type]  # the table's
            self.listeners.append(Listener(node, subscription, wanted))
            self._listen(sim, self.listeners[-1])

        sim.call(node, f"subscribe {patterns}", subscribe)

    def _listen(self, sim: Simulation, listener: Listener) -> None:
        """Take what waits, now and then."""
        if sim.nodes[listener.node.index] is not listener.node or listener.node.state == "dead":
            return

        def take(d: Decider, now: float) -> None:
            subscription = listener.subscription
            while (leaf := _feed(d).take(subscription, "me", now, 100)) is not None:
                news = leaf.span.news
                heard = listener.heard.setdefault((news.publisher, news.epoch, news.topic), [])
                listener.crossed += (leaf.span.end - leaf.span.start) if news.via else 0
                for place in range(leaf.span.start, leaf.span.end):
                    heard.append((news.first + place, leaf.gap if place == leaf.span.start else 0))
                subscription.finish(leaf)

        sim.call(listener.node, "listens", take)
        sim.after(sim.random.uniform(0.01, 0.5), partial(self._listen, sim, listener))

    def on_event(self, sim: Simulation, node: SimulatedNode, woken: Sequence[tuple[Hashable, int]]) -> None:
        """Audit; listeners look by themselves."""
        if node.state == "up":
            audit(node)

    def _alive(self, sim: Simulation) -> list[Listener]:
        return [one for one in self.listeners if sim.nodes[one.node.index] is one.node and one.node.state == "up"]

    def _behind(self, sim: Simulation) -> list[str]:
        behind = []
        for listener in self._alive(sim):
            subscription = listener.subscription
            for node in sim.nodes:
                feed = _feed(node.decider)
                for series in feed.publisher.series.values():
                    if subscription not in _feed(listener.node.decider).subscriber.matching(series.topic):
                        continue
                    flow = _flow(subscription, _id(node), series.topic)
                    late = series.last_at + subscription.latest < subscription.opened_at
                    if flow is None and series.head and not late and not subscription.latest:
                        behind.append(f"{listener.node.name} knows nothing of {series!r} of {node.name}")
                    if flow is not None and flow.next != series.head + 1 and not subscription.latest:
                        behind.append(f"{listener.node.name} has {flow!r} of {series!r} of {node.name}")
            if subscription.waiting:
                behind.append(f"{listener.node.name} has not heard {subscription!r}")
        return behind

    def finished(self, sim: Simulation) -> bool:
        return sim.healed and sim.now > 25 and not self._behind(sim)

    def check(self, sim: Simulation) -> None:
        assert not (behind := self._behind(sim)), "\n".join(behind)
        for listener in self._alive(sim):
            self._adds_up(sim, listener)
        for listener in self.listeners:
            who = f"{listener.node.name} {listener.subscription!r}"
            for key, heard in listener.heard.items():
                numbers = [number for number, _ in heard]
                assert numbers == sorted(set(numbers)), f"{who} heard {key} out of order, or twice"
                for (before, _), (number, gap) in pairwise(heard):
                    assert gap == number - before - 1, f"{who} was told {gap} between {before} and {number}"
        if self.kept:
            for listener in self._alive(sim):
                if WANTED[listener.wanted][1] == {"since": "first"}:
                    self._heard_all(sim, listener)

    def _adds_up(self, sim: Simulation, listener: Listener) -> None:
        """Of what is here all was told: each message taken says how many were missed just before it."""
        subscription = listener.subscription
        heard = sum(len(heard) for heard in listener.heard.values())
        assert subscription.received == heard, f"{listener.node.name} {subscription!r} counts {subscription.received}"
        told = sum(gap for heard in listener.heard.values() for _, gap in heard)
        flows = [flow for flows in subscription.flows.values() for flow in flows.values()]
        untold = sum(flow.missed + flow.dropped for flow in flows)
        known = {flow.publisher for flow in flows}
        if known >= {publisher for publisher, _, _ in listener.heard}:
            assert told + untold == subscription.missed, f"{told} + {untold} is not {subscription.missed}"

    def _heard_all(self, sim: Simulation, listener: Listener) -> None:
        for node in sim.nodes:
            for series in _feed(node.decider).publisher.series.values():
                heard = listener.heard.get((_id(node), series.epoch, series.topic), [])
                numbers = [number for number, _ in heard]
                assert numbers == list(range(1, series.head + 1)), f"{listener.node.name} misses of {series!r}"


def _flow(subscription: Subscription, publisher: bytes, topic: str) -> Flow | None:
    flows = subscription.flows.get(publisher)
    return flows.get(topic) if flows is not None else None


def _audit_subscriptions(sim: Simulation) -> None:
    for node in sim.nodes:
        for subscription in _feed(node.decider).subscriber.subscriptions.values():
            flows = [flow for flows in subscription.flows.values() for flow in flows.values()]
            assert subscription.coming == sum(flow.fetching for flow in flows)
            assert subscription.coming_size == sum(flow.fetching_size for flow in flows)
            assert subscription.fetches == sum(1 for flow in flows if flow.fetching)
            held = [news for flow in flows for news, _ in flow.held]
            assert subscription.held == sum(news.count for news in held)
            assert subscription.held_size == sum(news.size(0, news.count) for news in held)
            assert subscription.waiting == sum(span.end - span.start for span in _waiting(subscription))
            assert subscription.size == sum(span.size for span in _waiting(subscription))


def _waiting(subscription: Subscription) -> list[Span]:
    return [*subscription._queue, *subscription._slots.values()]


def _feed(decider: Decider) -> Feed:
    assert isinstance(decider, Participant)
    return decider.feed


def _id(node: SimulatedNode) -> bytes:
    assert isinstance(node.decider, Participant)
    return node.decider.node_id
