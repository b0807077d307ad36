"""Strangers that publish and subscribe, and say what the test wants."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from meshmq.core.feed.subscription import Subscription
from meshmq.core.participant import Participant
from meshmq.history import History
from meshmq.wire.card import Card, pack_card
from meshmq.wire.frames import Kind
from meshmq.wire.news import pack_direct, pack_news
from meshmq.wire.subscribing import (
    Head,
    Wanted,
    pack_heads,
    pack_subscribe,
)
from tests.core.stranger import Stranger, participant

LAST = 2**63 - 2


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Hold that something is done in time: far more than it takes, far less than what loops over numbers takes."""
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < seconds


class Publisher(Stranger):
    """A peer that says it publishes; its news come over a topics connection that the node dialled."""

    def __init__(self, node: Participant, connection: int = 1, node_id: bytes = b"S" * 16) -> None:
        super().__init__(node, connection, node_id)
        self.hello()
        card = Card(node_id, "stranger", "m", 1, "up", (), (), (), topics=("sim://s/topics",), publishes=True)
        self.say(Kind.CARD, pack_card(card))

    def answer(self, number: int, *heads: Head) -> None:
        for body in pack_heads(number, heads):
            self.say(Kind.HEADS, body)

    def news(self, number: int, topic: str, first: int, *bodies: bytes, kept: bool = False, epoch: int = 1) -> None:
        frames = pack_news(topic, self.node_id, epoch, first, bodies or (b"\xc0",), kept=kept, held=0.0)
        self.say(Kind.NEWS, pack_direct(number) + frames[0])


def subscribe(node: Participant, *patterns: str, **options: Any) -> Subscription:
    given = {"since": None, "latest": False, "overflow": "drop_oldest", "capacity": 100, "capacity_bytes": 1 << 20}
    return node.feed.subscribe(patterns, now=0.0, **{**given, **options})


def subscribed(*patterns: str, **options: Any) -> tuple[Participant, Subscription, Publisher]:
    """Return a node with a subscription, and a publisher that knows of it and has published nothing."""
    node = participant()
    subscription = subscribe(node, *patterns, **options)
    stranger = Publisher(node)
    stranger.answer(subscription.number)
    stranger.heard.clear()
    return node, subscription, stranger


def published(count: int = 10, *, history: int = 1_000) -> tuple[Participant, Stranger]:
    """Return a node that has published to ``a``, and a stranger with a session."""
    node = participant()
    node.feed.retain("**", History(messages=history), 0.0)
    for _ in range(count):
        node.feed.publish("a", b"\xc0", (), None, 0.0)
    stranger = Stranger(node)
    stranger.hello()
    return node, stranger


def ask(stranger: Stranger, number: int, *patterns: str, **fields: Any) -> None:
    for body in pack_subscribe(Wanted(number, patterns, **fields)):
        stranger.say(Kind.SUBSCRIBE, body)
