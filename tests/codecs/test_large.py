"""Large bytes in frames of their own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.codecs.base import LARGE_BYTES, Buffer
from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.errors import DecodeError, MessageTooLarge

CODEC = MsgpackCodec()
EDGE = bytes(range(256)) * (LARGE_BYTES // 256)
KINDS = [bytes, bytearray, memoryview]
WRAPS = [
    lambda value: value,
    lambda value: [1, value, "a"],
    lambda value: {"a": 1, "b": value},
    lambda value: (value, {"c": [value, {"d": value}]}),
    lambda value: {1: {2: [[value]]}},
]


def plain(value: Any) -> Any:
    """Return a value whose parts compare, type by type."""
    if type(value) in (list, tuple):
        return type(value), [plain(item) for item in value]
    if type(value) is dict:
        return dict, [(key, plain(item)) for key, item in value.items()]
    return type(value), bytes(value) if type(value) in KINDS else value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", WRAPS, ids=range(len(WRAPS)))
@pytest.mark.parametrize("size", [0, 1, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1])
def test_bytes_of_any_kind_come_back_as_they_were(kind: Any, wrap: Any, size: int) -> None:
    value = wrap(kind((EDGE + b"x")[:size]))
    body, buffers = CODEC.encode(value)
    assert plain(CODEC.decode(body, buffers)) == plain(value)
    assert plain(CODEC.decode(memoryview(body), [memoryview(buffer) for buffer in buffers])) == plain(value)
    assert bool(buffers) == (size >= LARGE_BYTES)
    assert all(len(buffer) == size for buffer in buffers)
    assert len(body) < (200 if buffers else 200 + 3 * size)


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
def test_the_sender_may_write_again(kind: Any) -> None:
    value = kind(EDGE)
    body, buffers = CODEC.encode({"image": value})
    value[0] = 77
    found: Any = CODEC.decode(body, buffers)
    assert bytes(found["image"]) == EDGE


def test_a_view_arrives_without_a_copy_and_read_only() -> None:
    body, _ = CODEC.encode(memoryview(EDGE))
    frame = bytearray(EDGE)
    found: Any = CODEC.decode(body, [memoryview(frame)])
    assert found.readonly
    assert found.obj is frame


def test_every_second_byte_of_a_view_is_sent() -> None:
    found: Any = CODEC.decode(*CODEC.encode(memoryview(EDGE * 2)[::2]))
    assert bytes(found) == (EDGE * 2)[::2]


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_the_limit_is_refused_before_it_is_copied(kind: Any) -> None:
    def copied(_: Buffer) -> Buffer:
        raise AssertionError("it is copied")

    with pytest.raises(MessageTooLarge):
        MsgpackCodec(limit=LARGE_BYTES - 1, copied=copied).encode([kind(EDGE)])


@given(st.data())
def test_any_frames_give_the_value_or_one_error(data: st.DataObject) -> None:
    body, buffers = CODEC.encode([EDGE, bytearray(EDGE), memoryview(EDGE), memoryview(b"small")])
    place = data.draw(st.integers(0, len(body) - 1))
    changed = body[:place] + bytes([data.draw(st.integers(0, 255))]) + body[place + 1 :]
    count = data.draw(st.integers(0, 4))
    try:
        CODEC.decode(changed, [*buffers, b"more"][:count])
    except DecodeError:
        pass
    else:
        assert count == 3 or changed != body


def test_a_missing_frame_and_one_too_many_are_told() -> None:
    body, buffers = CODEC.encode([EDGE, EDGE])
    with pytest.raises(DecodeError, match="without their frame"):
        CODEC.decode(body, buffers[:1])
    with pytest.raises(DecodeError, match="more frames"):
        CODEC.decode(body, [*buffers, b"x"])
