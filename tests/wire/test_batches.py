"""Batches: what is packed is read back; a batch that is none costs no more than its bytes."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.errors import DecodeError, ProtocolError
from meshmq.wire.batches import JOBS_LIMIT, pack_batch, pack_onward, peek_batch, unpack_batch
from meshmq.wire.headers import EXTRAS_LIMIT, HEADERS_LIMIT, check_headers, headers_bytes
from meshmq.wire.row import Row
from tests.wire.golden_jobs import ORIGIN, OTHER, batch, msgpack
from tests.wire.strategies import bodies, headers, ids, names

NIL, EMPTY = Row.of([b"\xc0"]), Row.of([b""])


@given(names, ids, st.integers(1, 2**62), bodies, st.integers(1, 65_535), st.integers(0, 2**32 - 1), headers)
def test_a_batch_is_read_back(
    queue: str,
    origin: bytes,
    first: int,
    values: list[bytes],
    attempt: int,
    backlog: int,
    told: dict[int, dict[str, str]],
) -> None:
    told = {index: header for index, header in told.items() if index < len(values)}
    frames = pack_batch(queue, origin, first, Row.of(values), attempt=attempt, backlog=backlog, held=0.5, headers=told)
    read = unpack_batch(frames)
    assert (read.queue, read.origin, read.first, read.count) == (queue, origin, first, len(values))
    assert (read.attempt, read.backlog, read.held, read.headers, read.buffers) == (attempt, backlog, 0.5, told, ())
    assert [bytes(read.body(index)) for index in range(read.count)] == values
    assert read.size == sum(map(len, values))
    assert peek_batch(frames[0]) == peek_batch(memoryview(frames[0])) == (queue, len(values))


@given(bodies, headers, st.data())
def test_what_a_device_sends_on_is_the_same_jobs_in_the_name_of_their_pusher(
    values: list[bytes], told: dict[int, dict[str, str]], data: st.DataObject
) -> None:
    told = {index: header for index, header in told.items() if index < len(values)}
    came = unpack_batch(pack_batch("jobs", ORIGIN, 7, Row.of(values), attempt=3, backlog=9, held=0.5, headers=told))
    start = data.draw(st.integers(0, len(values) - 1))
    end = data.draw(st.integers(start + 1, len(values)))
    read = unpack_batch(pack_onward(came, start, end, pusher=OTHER, backlog=4, held=1.5))
    assert (read.origin, read.first, read.count, read.attempt) == (ORIGIN, 7 + start, end - start, 3)
    assert (read.pusher, read.backlog, read.held, read.alone) == (OTHER, 4, 1.5, False)
    assert [bytes(read.body(index)) for index in range(read.count)] == values[start:end]
    assert read.headers == {index - start: header for index, header in told.items() if start <= index < end}


def test_a_device_sends_buffers_on_and_extras_that_hold_nothing_not() -> None:
    (frame, buffer) = pack_batch("jobs", ORIGIN, 1, NIL, attempt=1, backlog=0, held=0.0, buffers=[b"large"])
    assert unpack_batch(pack_onward(unpack_batch([frame, buffer]), 0, 1, pusher=OTHER, backlog=0, held=0.0)).buffers
    empty = unpack_batch([batch(1, 1, msgpack([]), [b"\xc0"])])
    assert bytes(unpack_batch(pack_onward(empty, 0, 1, pusher=OTHER, backlog=0, held=0.0)).body(0)) == b"\xc0"


def test_a_device_sends_a_part_of_a_batch_with_its_buffers_on() -> None:
    buffers = [b"one", b"two", b"three"]
    row = Row.of([b"a", b"b", b"c"])
    whole = unpack_batch(pack_batch("jobs", ORIGIN, 1, row, attempt=1, backlog=0, held=0.0, buffers=buffers))
    for start, end in ((0, 3), (0, 1), (1, 3), (2, 3)):
        part = unpack_batch(pack_onward(whole, start, end, pusher=OTHER, backlog=0, held=0.0))
        assert part.buffers == tuple(buffers[start:end])
        assert (part.first, part.count) == (1 + start, end - start)


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=5))
def test_buffers_are_read_back(buffers: list[bytes]) -> None:
    frames = pack_batch("jobs", ORIGIN, 1, NIL, attempt=1, backlog=0, held=0.0, buffers=buffers)
    assert unpack_batch(frames).buffers == tuple(buffers)


@given(st.lists(st.binary(max_size=120), min_size=1, max_size=3))
def test_any_frames_are_a_batch_or_a_protocol_error(frames: list[bytes]) -> None:
    with suppress(ProtocolError):
        unpack_batch(frames)


def test_numbers_beyond_what_a_batch_can_tell_are_cut_and_not_refused() -> None:
    read = unpack_batch(pack_batch("jobs", ORIGIN, 1, EMPTY, attempt=10**6, backlog=2**40, held=0.0))
    assert (read.attempt, read.backlog) == (65_535, 2**32 - 1)


GOOD = batch(0, 1, b"", [b"\xc0"])
AT = 5  # after the name


def changed(offset: int, form: str, value: object) -> bytes:
    """Return a good batch with another value at this offset of its fixed part."""
    new = struct.pack(form, value)
    return GOOD[: AT + offset] + new + GOOD[AT + offset + len(new) :]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"", "cut short"),
        (GOOD[:-2], "cut short"),
        (GOOD[:20], "cut short"),
        (GOOD + b"x", "add up"),
        (b"\x00" + GOOD[5:], "name"),
        (b"\x04j\nbs" + GOOD[5:], "name"),
        (b"\x04\xff\xfe\xfd\xfc" + GOOD[5:], "cut short"),
        (changed(16, "!Q", 0), "fields that are none"),
        (changed(16, "!Q", 2**64 - 1), "fields that are none"),
        (changed(24, "!I", 0), "a batch of 0"),
        (changed(24, "!I", 2**32 - 1), "4,294,967,295"),
        (changed(24, "!I", JOBS_LIMIT + 1), "a batch of 4,097"),
        (changed(24, "!I", 2), "cut short|add up"),
        (changed(28, "!H", 0), "fields that are none"),
        (changed(30, "!B", 1), "cut short|cannot be read|headers"),
        (changed(30, "!B", 2), "fields that are none"),
        (changed(30, "!B", 128), "fields that are none"),
        (changed(30, "!B", 8), "cut short|add up|fields that are none"),
        (batch(4, 1, b"", [b"\xc0", b"\xc0"]), "fields that are none"),
        (changed(35, "!f", float("nan")), "age"),
        (changed(35, "!f", float("inf")), "age"),
        (changed(35, "!f", -1.0), "age"),
        (changed(39, "!I", 2**32 - 1), "add up"),
    ],
)
def test_a_batch_that_is_none_says_why(frame: bytes, words: str) -> None:
    assert unpack_batch([GOOD]).count == 1
    with pytest.raises(ProtocolError, match=words):
        unpack_batch([frame])


def test_several_jobs_have_a_buffer_each_or_none() -> None:
    read = unpack_batch([batch(2, 1, b"", [b"a", b"bc"]), b"one", b"three"])
    assert (read.buffers_of(0, 1), read.buffers_of(1, 2), read.buffers_of(0, 2)) == (
        (b"one",),
        (b"three",),
        read.buffers,
    )
    assert (read.size_of(0, 1), read.size_of(1, 2), read.size_of(1, 1), read.size) == (4, 7, 0, 11)
    for more in ([b"buffer"], [b"buffer"] * 3):
        with pytest.raises(ProtocolError):
            unpack_batch([batch(2, 1, b"", [b"a", b"b"]), *more])
    with pytest.raises(ProtocolError):
        unpack_batch([batch(2, 1, b"", [b"a", b"b"])])
    with pytest.raises(ProtocolError):
        unpack_batch([batch(0, 1, b"", [b"a"]), b"buffer"])


@pytest.mark.parametrize(
    "extras",
    [
        None,
        {},
        [0],
        [0, None],
        [0, {"a": 1}],
        [0, {1: "a"}],
        [1, {"a": "b"}],
        [-1, {"a": "b"}],
        [True, {"a": "b"}],
        ["0", {"a": "b"}],
    ],
)
def test_headers_that_are_none_are_refused(extras: object) -> None:
    with pytest.raises(ProtocolError):
        unpack_batch([batch(1, 1, msgpack(extras), [b"\xc0"])])


@pytest.mark.parametrize(
    "frame",
    [
        batch(0, 1, b"", [b""] * 200_000),
        batch(1, 1, b"\xdd\x00\x10\x00\x00" + b"\x80" * 2**20, [b"\xc0"]),
        batch(1, 1, b"\xdf\xff\xff\xff\xff", [b"\xc0"]),
        batch(1, 1, b"\x91" * 100_000 + b"\xc0", [b"\xc0"]),
    ],
    ids=["empty jobs", "empty maps", "a map that is not there", "nested lists"],
)
def test_a_bomb_costs_no_more_than_a_few_times_its_bytes(frame: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            unpack_batch([frame])
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_the_largest_headers_of_one_job_fit_and_are_estimated_high_enough() -> None:
    characters = [chr(0x10000 + number) for number in range(HEADERS_LIMIT)]
    for largest in (dict.fromkeys(characters, ""), {"": "".join(characters)}, {"".join(characters): ""}):
        assert check_headers(largest) == largest
        (frame,) = pack_batch("jobs", ORIGIN, 1, EMPTY, attempt=1, backlog=0, held=0.0, headers={0: largest})
        assert unpack_batch([frame]).headers == {0: largest}
        assert len(frame) <= headers_bytes(largest) + 60 < EXTRAS_LIMIT


@pytest.mark.parametrize(
    "wrong",
    [5, "a", [("a", "b")], {"a": 1}, {1: "a"}, {"a": "x" * HEADERS_LIMIT}, {"a": "\udc80"}, {"\udc80": "a"}],
    ids=ascii,
)
def test_headers_that_cannot_be_sent_are_refused_at_the_call(wrong: object) -> None:
    with pytest.raises(DecodeError):
        check_headers(wrong)


class Colour(StrEnum):
    RED = "red"


def test_headers_that_are_a_kind_of_text_travel_as_text() -> None:
    told = check_headers({Colour.RED: Colour.RED})
    assert told is not None
    (frame,) = pack_batch("jobs", ORIGIN, 1, EMPTY, attempt=1, backlog=0, held=0.0, headers={0: told})
    assert unpack_batch([frame]).headers == {0: {"red": "red"}}


def test_no_headers_are_none() -> None:
    assert check_headers(None) is None
    assert check_headers({}) is None
