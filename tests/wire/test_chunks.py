"""Large messages in chunks: what is joined is split again, and what is none is told as such."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.errors import ProtocolError
from meshmq.wire.chunks import (
    CHUNK_MOST,
    FRAMES_FREE,
    join_message,
    pack_chunk,
    split_message,
    unpack_chunk,
)
from meshmq.wire.frames import NUMBERED, Kind

CARRIED = sorted(NUMBERED - {Kind.CHUNK})


@given(st.sampled_from(CARRIED), st.lists(st.binary(max_size=50), min_size=1, max_size=FRAMES_FREE))
def test_a_message_is_joined_and_split(kind: Kind, frames: list[bytes]) -> None:
    assert split_message(join_message(kind, frames)) == (kind, frames)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32), st.binary(min_size=1, max_size=50), st.integers(0, 99))
def test_a_chunk_is_read_back(transfer: int, offset: int, data: bytes, more: int) -> None:
    total = offset + len(data) + more
    read = unpack_chunk(memoryview(pack_chunk(transfer, offset, total) + data))
    assert (*read[:3], bytes(read[3])) == (transfer, offset, total, data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_chunk_and_a_message_or_a_protocol_error(body: bytes) -> None:
    with suppress(ProtocolError):
        unpack_chunk(memoryview(body))
    with suppress(ProtocolError):
        split_message(body)
    with suppress(ProtocolError):
        split_message(bytearray(b"\x13" + body))


@pytest.mark.parametrize(
    "whole",
    [
        b"",
        b"\x13",
        b"\x13\x00\x00",
        b"\x13\x00\x00\x00\x02a",
        b"\x13\xff\xff\xff\xffa",
        *(join_message(kind, [b"a"]) for kind in (Kind.HELLO, Kind.BYE, Kind.PING, Kind.COVER, Kind.CHUNK)),
        b"\x63\x00\x00\x00\x01a",
    ],
)
def test_a_message_that_is_none_is_refused(whole: bytes) -> None:
    with pytest.raises(ProtocolError):
        split_message(whole)


def test_a_large_message_may_have_many_large_frames_and_not_many_small_ones() -> None:
    large = [bytes(64 * 1024)] * 100
    assert split_message(join_message(Kind.JOBS, large)) == (Kind.JOBS, large)
    with pytest.raises(ProtocolError, match="too many frames"):
        split_message(join_message(Kind.JOBS, [b""] * 100_000))


@pytest.mark.parametrize(
    ("offset", "total", "size"),
    [(0, 5, 6), (5, 5, 1), (2**64 - 1, 2**64 - 1, 1), (0, 10**9, CHUNK_MOST + 1)],
)
def test_a_chunk_that_cannot_be_is_refused(offset: int, total: int, size: int) -> None:
    with pytest.raises(ProtocolError):
        unpack_chunk(memoryview(pack_chunk(1, offset, total) + bytes(size)))
