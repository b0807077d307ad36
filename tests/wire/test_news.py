"""News: what is packed is read again, and bytes that are none give one error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.errors import ProtocolError
from meshmq.wire.fields import NUMBERS
from meshmq.wire.frames import VERSION, VersionMismatch
from meshmq.wire.headers import headers_bytes
from meshmq.wire.news import EPOCHS, pack_direct, pack_news, pack_notice, unpack_direct, unpack_news
from tests.wire.strategies import bodies, headers, ids, names, whole

epochs = st.integers(0, EPOCHS - 1)
firsts = st.integers(1, 2**62)
turns = st.integers(0, 2**64 - 1)
held = st.floats(0, 1e6, width=32)
SAMPLE = pack_news(
    "a.b", b"p" * 16, 3, 7, [b"one", b"", b"three"], turn=9, kept=True, held=0.5, headers={1: {"k": "v"}}
)


@given(names, ids, epochs, firsts, bodies, turns, st.booleans(), held, headers)
def test_news_are_read_as_they_were_packed(
    topic: str,
    publisher: bytes,
    epoch: int,
    first: int,
    values: list[bytes],
    turn: int,
    kept: bool,
    age: float,
    extras: dict[int, dict[str, str]],
) -> None:
    extras = {index: header for index, header in extras.items() if index < len(values)}
    frames = pack_news(topic, publisher, epoch, first, values, turn=turn, kept=kept, held=age, headers=extras)
    news = unpack_news(frames)
    assert (news.topic, news.publisher, news.turn, news.epoch) == (topic, publisher, turn, epoch)
    assert (news.first, news.last, news.count) == (first, first + len(values) - 1, len(values))
    assert (news.kept, news.elsewhere, news.held, news.headers) == (kept, False, age, extras)
    assert [bytes(news.body(index)) for index in range(news.count)] == values
    assert news.size(0, news.count) == sum(map(len, values)) + sum(map(headers_bytes, extras.values()))
    assert sum(news.size(index, index + 1) for index in range(news.count)) == news.size(0, news.count)
    assert news.longest == max(map(len, values))
    number, direct = unpack_direct([pack_direct(5) + frames[0]])
    assert (number, direct) == (5, news)


@given(names, ids, epochs, firsts, st.binary(max_size=40), st.lists(st.binary(min_size=1, max_size=40), min_size=1))
def test_buffers_follow_a_single_value(
    topic: str, publisher: bytes, epoch: int, first: int, body: bytes, buffers: list[bytes]
) -> None:
    news = unpack_news(pack_news(topic, publisher, epoch, first, [body], kept=False, held=0.0, buffers=buffers))
    assert (bytes(news.body(0)), list(news.buffers)) == (body, buffers)
    assert news.size(0, 1) == len(body) + sum(map(len, buffers))


@given(names, ids, epochs, firsts, st.integers(1, 1_000), turns)
def test_a_notice_has_numbers_and_no_values(
    topic: str, publisher: bytes, epoch: int, first: int, count: int, turn: int
) -> None:
    notice = pack_notice(topic, publisher, epoch, first, count, turn=turn)
    news = unpack_news([notice])
    assert (news.topic, news.first, news.count, news.kept, news.elsewhere) == (topic, first, count, True, True)
    with pytest.raises(ProtocolError):
        unpack_news([notice + b"x"])


def readable(frames: list[bytes]) -> bool:
    """Whether bytes are news; anything but the errors that are meant is raised."""
    try:
        unpack_news(frames)
        unpack_direct([bytes(8) + frames[0], *frames[1:]])
    except (ProtocolError, VersionMismatch):
        return False
    return True


@given(st.lists(st.binary(max_size=120), min_size=1, max_size=3))
def test_any_bytes_are_news_or_one_error(frames: list[bytes]) -> None:
    readable(frames)


@given(st.data())
def test_news_of_which_bytes_were_changed_are_news_or_one_error(data: st.DataObject) -> None:
    frame = bytearray(SAMPLE[0])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(frame) - 1))
        frame[place] = data.draw(st.sampled_from([0, 1, 127, 128, 255, frame[place] ^ 1]))
    if readable([bytes(frame)]):
        news = unpack_news([bytes(frame)])
        assert news.last < NUMBERS
        assert sum(len(news.body(index)) for index in range(0 if news.elsewhere else news.count)) == len(news.payload)


def test_news_that_are_cut_short_anywhere_are_none() -> None:
    assert readable(SAMPLE)
    for length in range(len(SAMPLE[0])):
        assert not readable([SAMPLE[0][:length]])


def test_numbers_at_the_edge_are_refused() -> None:
    with pytest.raises(ProtocolError):
        unpack_news([pack_notice("a", b"p" * 16, 1, NUMBERS - 5, 6, turn=0)])
    with pytest.raises(ProtocolError):
        unpack_news([pack_notice("a", b"p" * 16, 1, 0, 6, turn=0)])
    with pytest.raises(ProtocolError):
        unpack_news([pack_notice("a", b"p" * 16, 1, 1, 0, turn=0)])


def test_news_of_another_version_are_told_from_those_that_are_none() -> None:
    place = SAMPLE[0].index(b"\0MQ") + 3
    frame = SAMPLE[0][:place] + bytes([VERSION + 1]) + SAMPLE[0][place + 1 :]
    with pytest.raises(VersionMismatch):
        unpack_news([frame])


def test_direct_news_without_a_subscription_are_none() -> None:
    for length in range(8):
        with pytest.raises(ProtocolError):
            unpack_direct([bytes(length)])


@given(whole)
def test_the_number_of_a_subscription_stands_before_direct_news(number: int) -> None:
    assert unpack_direct([pack_direct(number) + SAMPLE[0]])[0] == number


@given(st.binary(max_size=50), st.lists(st.binary(min_size=1, max_size=9), max_size=2))
def test_a_body_that_is_apart_is_the_very_same_bytes(body: bytes, buffers: list[bytes]) -> None:
    frames = pack_news("a", b"p" * 16, 1, 7, [body], kept=True, held=0.0, buffers=buffers, apart=True)
    assert frames[1] is body
    news = unpack_news(frames)
    assert (bytes(news.body(0)), news.buffers, news.size(0, 1)) == (
        body,
        tuple(buffers),
        len(body) + sum(map(len, buffers)),
    )
    for wrong in (frames[:1], [frames[0], body + b"x", *buffers]):
        with pytest.raises(ProtocolError):
            unpack_news(wrong)
