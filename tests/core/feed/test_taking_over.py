"""A durable topic whose publisher comes again: the next incarnation goes on with what the former has left."""

from __future__ import annotations

from typing import Any

from meshmq.core.feed.subscriber import GONE_FOR, Subscriber
from meshmq.core.feed.subscription import Subscription
from meshmq.core.feed.tap import Tap
from meshmq.wire.frames import Kind
from meshmq.wire.news import DURABLE_EPOCHS, pack_news, unpack_news
from meshmq.wire.subscribing import Head, Heads, unpack_fetch
from tests.core.feed.earth import Earth

FORMER, NEXT = b"f" * 16, b"n" * 16
EPOCH = DURABLE_EPOCHS + 7


class Reader:
    """One subscription to a durable topic of which three messages are kept by whoever publishes it."""

    def __init__(self) -> None:
        self.earth = Earth()
        earth: Any = self.earth
        self.subscriber = Subscriber(earth)
        number = self.subscriber.next_number()
        self.subscription = Subscription(number, ["a"], since="first", capacity=100, capacity_bytes=1 << 20, now=0.0)
        self.subscriber.open(self.subscription)

    def answer(self, tap: Tap, head: int) -> None:
        """Have a publisher answer the subscription, which begins with the first."""
        heads = [Head("a", EPOCH, 0, head, 1)]
        self.subscriber.heads(tap, Heads(self.subscription.number, True, 0, 0, heads), 1.0)

    def bring(self, tap: Tap, first: int, last: int) -> None:
        """Have messages come over the topics link, or as they were fetched."""
        bodies = [b"%d" % number for number in range(first, last + 1)]
        news = unpack_news(pack_news("a", tap.publisher, EPOCH, first, bodies, turn=1, kept=True, held=0.0))
        self.subscriber.news(tap, news, 1.0)

    def fetch(self, tap: Tap) -> None:
        """Have a publisher bring what it was asked for."""
        for body in self.earth.bodies(Kind.FETCH, tap.publisher):
            fetch = unpack_fetch(body)
            last = min(fetch.last, fetch.first + fetch.messages - 1)
            self.bring(tap, fetch.first, last)
            self.subscriber.fetched(tap, fetch.number, "a", fetch.epoch, last)

    def heard(self) -> list[tuple[int, int]]:
        """Return number and gap of all that came."""
        heard = []
        while (leaf := self.subscription.take("me", 1)) is not None:
            heard.append((leaf.span.news.first + leaf.span.start, leaf.gap))
            self.subscription.finish(leaf)
        return heard


def test_what_came_before_the_former_answered_is_given_once() -> None:
    reader = Reader()
    former = reader.subscriber.tap(FORMER)
    reader.bring(former, 1, 2)  # held, for it is not known where the subscription begins
    reader.subscriber.drop(FORMER, 1.0)
    following = reader.subscriber.tap(NEXT)
    reader.answer(following, 3)
    reader.fetch(following)
    assert reader.heard() == [(1, 0), (2, 0), (3, 0)]
    reader.subscriber.look_again(1.0 + GONE_FOR)
    assert reader.heard() == []


def test_what_the_former_owed_is_the_next_ones_to_bring() -> None:
    reader = Reader()
    former = reader.subscriber.tap(FORMER)
    reader.answer(former, 2)
    asked = reader.earth.bodies(Kind.FETCH, FORMER)
    assert len(asked) == 1
    following = reader.subscriber.tap(NEXT)  # it is heard before the former is known to be lost
    reader.answer(following, 3)
    assert reader.subscription.coming == 3
    reader.subscriber.drop(FORMER, 1.0)
    reader.subscriber.look_again(1.0 + GONE_FOR)
    assert reader.subscription.missed == 0
    reader.fetch(following)
    assert reader.heard() == [(1, 0), (2, 0), (3, 0)]
    assert (reader.subscription.coming, reader.subscription.fetches) == (0, 0)
