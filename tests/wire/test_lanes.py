"""What links tell each other of lanes, and what comes by one: by hand as PROTOCOL.md says, and read with suspicion."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

import meshmq.wire
from meshmq.errors import ProtocolError
from meshmq.wire import loans
from meshmq.wire.frames import Kind
from meshmq.wire.lanes import (
    LAID,
    STARTS,
    TAKEN,
    WANTED,
    Laid,
    LaneReader,
    pack_laid,
    pack_message,
    pack_taken,
    pack_wanted,
    unpack_laid,
    unpack_taken,
)

MOST, MOST_FRAMES = 1000, 5
MESSAGES = st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=MOST_FRAMES), max_size=12)


def read(pieces: Iterable[bytes]) -> list[list[bytes]]:
    reader, messages = LaneReader(MOST, MOST_FRAMES), []
    for piece in pieces:
        reader.feed(piece)
        while (message := reader.message()) is not None:
            messages.append([bytes(frame) for frame in message])
    return messages


def test_each_is_packed_as_it_is_written() -> None:
    assert pack_wanted() == b"MQ\2\x08" + bytes(16)
    assert pack_laid(Laid(4711, 12, 99)) == b"MQ\2\x09" + bytes(16) + pack("!IIQ", 4711, 12, 99)
    assert pack_taken(True) == b"MQ\2\x0a" + bytes(16) + b"\1"
    assert pack_taken(False) == b"MQ\2\x0a" + bytes(16) + b"\0"
    assert b"".join(pack_message([b"one"])) == b"\1" + pack("!I", 3) + b"one"
    assert b"".join(pack_message([b"one", b"", b"three"])) == b"\3" + pack("!III", 3, 0, 5) + b"onethree"


def test_their_starts_are_those_of_no_other_frame() -> None:
    assert STARTS == {b"MQ\2\x08": WANTED, b"MQ\2\x09": LAID, b"MQ\2\x0a": TAKEN}
    assert not STARTS.keys() & loans.STARTS.keys()
    assert not set(STARTS.values()) & set(Kind)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.booleans())
def test_what_is_said_comes_back(process: int, descriptor: int, inode: int, took: bool) -> None:
    laid = Laid(process, descriptor, inode)
    assert unpack_laid(pack_laid(laid)) == laid
    assert unpack_taken(pack_taken(took)) == took


@given(MESSAGES, st.lists(st.integers(1, 400), min_size=1))
def test_messages_come_back_in_whatever_pieces(messages: list[list[bytes]], sizes: list[int]) -> None:
    stream = b"".join(part for message in messages for part in pack_message(message))
    pieces: list[bytes] = []
    at = 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[at : at + size])
        at += size
    assert read(pieces) == messages
    assert read([stream]) == messages


def test_the_first_frame_is_bytes_and_the_others_cannot_be_written() -> None:
    reader = LaneReader(MOST, MOST_FRAMES)
    reader.feed(b"".join(pack_message([b"head", b"large", b"values"])))
    message = reader.message()
    assert message is not None
    assert [type(frame) for frame in message] == [bytes, memoryview, memoryview]
    assert all(memoryview(frame).readonly for frame in message)


def test_a_frame_that_comes_in_crumbs_takes_the_room_of_one() -> None:
    size = 100_000
    reader = LaneReader(size, MOST_FRAMES)
    stream = b"".join(pack_message([bytes(size)]))
    tracemalloc.start()
    try:
        for at in range(0, len(stream), 2):
            assert reader.message() is None
            reader.feed(stream[at : at + 2])
        assert reader.message() == [bytes(size)]
        assert tracemalloc.get_traced_memory()[1] < 5 * size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "stream",
    [
        b"\0" + pack("!I", 1) + b"x",
        b"\6" + pack("!6I", *[0] * 6),
        b"\1" + pack("!I", MOST + 1),
        b"\2" + pack("!II", 1, MOST + 1),
        b"MQ\2\x13" + bytes(16),
    ],
    ids=["no frames", "many frames", "a long frame", "a second that is long", "no lane's"],
)
def test_what_is_no_message_is_refused_before_it_takes_room(stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        read([stream])
    with pytest.raises(ProtocolError):
        read(bytes((byte,)) for byte in stream)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6))
def test_any_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    with suppress(ProtocolError):
        read(pieces)
    for frame in pieces:
        for unpack in (unpack_laid, unpack_taken):
            with suppress(ProtocolError):
                unpack(pack_wanted() + frame)


def test_the_protocol_tells_of_them() -> None:
    text = (Path(meshmq.wire.__file__).parent / "PROTOCOL.md").read_text()
    for kind, name in ((WANTED, "WANTED"), (LAID, "LAID"), (TAKEN, "TAKEN")):
        assert f"\n| {kind} | {name} |" in text
