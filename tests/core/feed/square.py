"""A village whose people publish and subscribe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from meshmq.core.feed.subscription import Subscription
from tests.core.village import Village


@dataclass(frozen=True)
class Heard:
    """One message that a subscription gave."""

    topic: str
    seq: int
    body: bytes
    gap: int
    publisher: bytes


class Square(Village):
    """Participants that publish bytes and take what they subscribed to."""

    def look(self) -> None:
        """Have discovery be over for all."""
        for node in self.sim.nodes:
            self.do(node.index, lambda participant, now: setattr(participant, "looked", True))

    def publish(
        self,
        index: int,
        topic: str,
        *bodies: bytes,
        headers: dict[str, str] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> None:
        for body in bodies:
            self.do(index, lambda node, now, body=body: node.feed.publish(topic, body, buffers, headers, now))  # type: ignore[misc]  # mypy cannot infer a default

    def subscribe(self, index: int, *patterns: str, **options: Any) -> Subscription:
        given = {
            "since": None,
            "latest": False,
            "overflow": "drop_oldest",
            "capacity": 10_000,
            "capacity_bytes": 1 << 26,
        }
        return self.do(index, lambda node, now: node.feed.subscribe(patterns, now=now, **{**given, **options}))

    def unsubscribe(self, index: int, subscription: Subscription) -> None:
        self.do(index, lambda node, now: node.feed.unsubscribe(subscription, now))

    @contextmanager
    def deaf(self, index: int) -> Iterator[None]:
        """Let all be lost that a node puts on its topics link, as where a pipe of libzmq is full."""
        publisher = self[index].feed.publisher
        self.do(index, lambda node, now: publisher.flush(now))
        tuned, publisher.tuned = publisher.tuned, 0
        yield
        self.do(index, lambda node, now: publisher.flush(now))
        publisher.tuned += tuned

    def ready(self, index: int, subscription: Subscription) -> bool:
        return self.do(index, lambda node, now: node.feed.ready(subscription, now))

    def heard(self, index: int, subscription: Subscription, limit: int | None = None) -> list[Heard]:
        """Take all that waits, at most ``limit`` messages."""
        heard: list[Heard] = []
        while limit is None or len(heard) < limit:
            left = 1 << 30 if limit is None else limit - len(heard)
            leaf = self.do(index, lambda node, now, left=left: node.feed.take(subscription, "me", now, left))  # type: ignore[misc]  # mypy cannot infer a default
            if leaf is None:
                break
            news = leaf.span.news
            for place in range(leaf.span.start, leaf.span.end):
                gap = leaf.gap if place == leaf.span.start else 0
                body = bytes(news.body(place)) + b"".join(news.buffers)
                heard.append(Heard(news.topic, news.first + place, body, gap, news.publisher))
            self.do(index, lambda node, now, leaf=leaf: subscription.finish(leaf))  # type: ignore[misc]  # mypy cannot infer a default
        return heard


def numbers(heard: Sequence[Heard]) -> list[int]:
    """Return the sequence numbers of what was heard."""
    return [one.seq for one in heard]
