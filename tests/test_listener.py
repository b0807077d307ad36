"""A listener decodes what it takes a part at a time, and each value once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.core.feed.flow import Flow
from meshmq.core.feed.subscription import Span, Subscription
from meshmq.listener import READ_TOGETHER, LeafDelivery
from meshmq.listening import Heard
from meshmq.message import Message
from meshmq.wire.news import pack_news, unpack_news

PUBLISHER = b"p" * 16
BAD = b"\xc1"


class Counting(MsgpackCodec):
    """Notes how many bytes it decodes."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def decode(self, body: bytes | memoryview, buffers: Sequence[bytes | memoryview] = ()) -> object:
        self.bytes += len(body)
        return super().decode(body, buffers)

    def decode_row(self, row: bytes | memoryview, count: int, longest: int) -> list[object] | None:
        values = super().decode_row(row, count, longest)
        self.bytes += len(row) if values is not None else 0
        return values


class Ear:
    """A subscription with one leaf in hand, that nobody drives."""

    def __init__(self, *bodies: bytes) -> None:
        self.codec = Counting()
        self.heard = Heard(self.codec, Message, ["a"])
        settings: dict[str, Any] = {"capacity": 1_000, "capacity_bytes": 1 << 20, "now": 0.0}
        self.subscription = self.heard.subscription = Subscription(1, ["a"], **settings)
        frames = pack_news("a", PUBLISHER, 1, 1, bodies, kept=False, held=0.0)
        self.subscription.put(Span(unpack_news(frames), Flow(PUBLISHER, "a", 1, based=True), 0, len(bodies), 0.0))
        leaf = self.subscription.take("me")
        assert leaf is not None
        self.delivery = LeafDelivery(self.heard, leaf)

    def message(self, index: int) -> Any:
        message = self.heard.message(self.delivery, index)
        return None if message is None else message.data


def test_of_a_long_leaf_a_part_is_decoded_at_a_time() -> None:
    ear = Ear(*[b"\x07"] * 200)
    assert [ear.message(index) for index in range(3)] == [7] * 3
    assert ear.codec.bytes == READ_TOGETHER
    assert [ear.message(index) for index in range(3, 200)] == [7] * 197
    assert ear.codec.bytes == 200


def test_what_was_recalled_is_not_decoded() -> None:
    ear = Ear(*[b"\x07"] * 200)
    next(ear.delivery.leaf.ahead)
    back = ear.delivery.leaf.recall()
    assert back is not None
    assert ear.message(1) == 7
    assert ear.codec.bytes == 1


def test_threads_that_share_it_may_be_apart() -> None:
    ear = Ear(*(bytes([number % 100]) for number in range(200)))
    assert [ear.message(index) for index in (0, 150, 1, 151, 2)] == [0, 50, 1, 51, 2]


def test_one_that_cannot_be_decoded_is_counted_and_those_around_it_come(caplog: pytest.LogCaptureFixture) -> None:
    ear = Ear(*[b"\x07"] * 99, BAD, *[b"\x07"] * 100)
    ear.heard.opened = lambda: (None, Names())  # type: ignore[method-assign,assignment,return-value]  # all it is asked
    assert [ear.message(index) for index in range(200)] == [7] * 99 + [None] + [7] * 100
    assert ear.subscription.unreadable == 1
    assert "cannot be decoded" in caplog.text


class Names:
    """Knows what a publisher is called."""

    def name_of(self, peer: bytes) -> str:
        return "somebody"
