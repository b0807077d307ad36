"""The msgpack codec: what stands on the wire, and what hostile bytes can do to it."""

from __future__ import annotations

import contextlib
import gc
import time
from datetime import UTC, datetime
from decimal import Decimal

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.codecs.base import SAME_HASH
from meshmq.codecs.msgpack import MsgpackCodec, pack_plain, unpack_plain
from meshmq.codecs.scan import holds_few
from meshmq.errors import DecodeError, EncodeError
from tests.codecs import values
from tests.codecs.values import same

codec = MsgpackCodec()
plain = st.recursive(
    values.plain_leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(values.plain_leaves, inner, max_size=4),
    max_leaves=30,
)


@given(value=plain)
def test_plain_values_are_plain_msgpack(value: object) -> None:
    body, buffers = codec.encode(value)
    assert body == msgpack.packb(value)
    assert buffers == ()
    assert pack_plain(value) == body
    assert same(unpack_plain(body), value)


GOLDEN = [
    ((1, 2), "c1 93 c7 00 01 01 02"),
    ({1}, "c1 92 c7 00 02 01"),
    (frozenset(), "c1 91 c7 00 03"),
    ({(): 1}, "c1 93 c7 00 04 91 c7 00 01 01"),
    (values.Colour.RED, "c1 93 c7 00 05 ac 74 65 73 74 73 2e 43 6f 6c 6f 75 72 a3 52 45 44"),
    (2**64, "c1 c7 09 10 01 00 00 00 00 00 00 00 00"),
    (Decimal("1.5"), "c1 c7 03 11 31 2e 35"),
    (bytearray(b"a"), "c1 d4 18 61"),
]


@pytest.mark.parametrize(("value", "body"), GOLDEN, ids=lambda value: str(value)[:20])
def test_bytes_on_the_wire_stay_as_they_are(value: object, body: str) -> None:
    assert codec.encode(value) == (bytes.fromhex(body), ())
    assert same(codec.decode(bytes.fromhex(body)), value)


def test_extensions_of_the_user_come_back() -> None:
    for value in (msgpack.ExtType(1, b""), [msgpack.ExtType(24, b"x" * 300)] * 70, (msgpack.ExtType(16, b""),)):
        assert codec.decode(*codec.encode(value)) == value


def test_timestamp_of_another_language_arrives_as_a_moment_in_utc() -> None:
    assert codec.decode(msgpack.packb(msgpack.Timestamp(0))) == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [0, 2**33, 2**40])
@pytest.mark.parametrize("beside", ["", "x" * 50, "x" * 2_000])
def test_timestamp_of_the_library_is_refused_where_it_is_sent(seconds: int, beside: str) -> None:
    for value in (msgpack.Timestamp(seconds), [beside, {"at": msgpack.Timestamp(seconds)}]):
        with pytest.raises(EncodeError, match="is a Timestamp"):
            codec.encode(value)
    for lookalike in (0xD6FF, 0xD7FF, "\ud7ff", -1, [0xC7, 0x0CFF]):
        assert codec.decode(*codec.encode([beside, lookalike])) == [beside, lookalike]


@pytest.mark.parametrize(
    "body",
    [
        "", "c1", "c1 c1", "01 01", "c1 01 01", "81 90 01", "c1 81 90 01", "a1 ff", "dd ff ff ff ff", "df ff ff ff ff",
        "c6 ff ff ff ff", "c1 c9 ff ff ff ff 10", "c1 92 c7 00 02 90", "c1 c7 00 01", "c1 92 01 c7 00 01",
        "c1 92 c7 00 04 01", "c1 91 c7 00 05", "c1 92 c7 00 05 01", "c1 91 c7 00 06", "c1 93 c7 00 08 01 01",
        "c1 c7 00 10", "c1 d4 11 78", "c1 d4 12 31", "c1 d4 7f 00", "c1 c7 03 11 31 65 39", "d6 ff 00 00",
        "c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff", "c1 c7 0c 15 7f ff ff ff ff ff ff ff ff ff ff ff",
        "c1 d4 81 00",
    ],
)  # fmt: skip
def test_bytes_that_are_no_value_are_a_decode_error(body: str) -> None:
    for frame in (bytes.fromhex(body), memoryview(bytes.fromhex(body))):
        with pytest.raises(DecodeError):
            codec.decode(frame)


def test_frames_without_arrays_are_a_decode_error() -> None:
    for body in (b"\x01", b"\xc1\x01", codec.encode("x" * 100)[0]):
        with pytest.raises(DecodeError, match="frames"):
            codec.decode(body, [b"x"])


@pytest.mark.parametrize("head", [b"", b"\xc1"])
@pytest.mark.parametrize(
    "level", [b"\x91", b"\x81\x01", b"\xdc\x00\x01", b"\xde\x00\x01\xa0", b"\x92\x01", b"\x81\xa1a"]
)
@pytest.mark.parametrize("levels", [65, 200, 1030, 100_000])
def test_bytes_nested_too_deeply_are_a_decode_error(head: bytes, level: bytes, levels: int) -> None:
    with pytest.raises(DecodeError):
        codec.decode(head + level * levels + b"\xc0")


def test_bytes_nested_to_the_limit_are_read() -> None:
    for padding in (b"\xc0", b"\xda\x0f\xff" + b"x" * 0xFFF, b"\xc6\x00\x02\x00\x00" + b"x" * 0x20000):
        assert codec.decode(b"\x91" * 64 + padding)
        with pytest.raises(DecodeError):
            codec.decode(b"\x91" * 65 + padding)


def seconds(body: bytes) -> float:
    """Return the CPU seconds that reading ``body`` takes, whatever comes of it."""
    gc.collect()
    start = time.thread_time()
    with contextlib.suppress(DecodeError):
        codec.decode(body)
    return time.thread_time() - start


ANNOUNCED = 2_000_000
HOSTILE = {
    "arrays as long as the body in each other": (b"\xdd" + ANNOUNCED.to_bytes(4, "big")) * 1000 + b"\xc0" * ANNOUNCED,
    "a set of numbers with one hash": b"\xc1\xdc\xea\x60\xc7\x00\x02"
    + b"".join(b"\xc7\x0a\x10" + (number * (2**61 - 1)).to_bytes(10, "big") for number in range(1, 60_000)),
    "a dict of complex keys with one hash": b"\xc1\xdc\xea\x61\xc7\x00\x04"
    + b"".join(codec.encode(complex(-1000003.0 * number, number))[0][1:] + b"\xc0" for number in range(1, 30_001)),
    "a Decimal of many digits": b"\xc1\xc9" + (10**6).to_bytes(4, "big") + b"\x11" + b"1" * 10**6,
    "an int of many bytes": b"\xc1\xc9" + (10**6).to_bytes(4, "big") + b"\x10" + b"1" * 10**6,
    "a set of Decimals with huge exponents": b"\xc1\xdc\x4e\x21\xc7\x00\x02"
    + b"".join(codec.encode(Decimal(f"{number}E+999999999999"))[0][1:] for number in range(10_000, 30_000)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_bytes_do_not_burn_time(kind: str) -> None:
    # Ten times what it takes; each of them takes minutes, or gigabytes, where nothing looks after it.
    assert seconds(HOSTILE[kind]) < 3


def test_too_many_members_of_one_hash_are_refused_at_both_ends() -> None:
    members = {complex(-1000003.0 * number, number) for number in range(1, SAME_HASH + 2)}
    assert len(set(map(hash, members))) == 1
    for value in (members, frozenset(members), dict.fromkeys(members)):
        with pytest.raises(EncodeError, match="one hash"):
            codec.encode(value)
    members.pop()
    assert codec.decode(*codec.encode(members)) == members


@pytest.mark.parametrize(
    "value", [(1,), {1}, 2**64, datetime.now(UTC), object(), bytearray(b""), {(): 1}, "\ud800", b""]
)
def test_plain_maps_hold_nothing_but_plain_values(value: object) -> None:
    if isinstance(value, bytes):
        assert unpack_plain(pack_plain(value)) == value
        return
    with pytest.raises(EncodeError):
        pack_plain({"a": value})


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\xd6\xff\0\0\0\0", b"\xd4\x01\0", b"\x91" * 65 + b"\xc0", b"\x01\x01"]
)
def test_plain_maps_with_anything_else_are_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        unpack_plain(body)


def test_plain_maps_are_bounded() -> None:
    assert unpack_plain(pack_plain("x" * 65_000)) == "x" * 65_000
    with pytest.raises(DecodeError, match="may have"):
        unpack_plain(pack_plain("x" * 65_536))
    with pytest.raises(DecodeError, match="may have"):
        unpack_plain(b"\xc0" * 11, limit=10)


@given(value=plain)
def test_few_values_are_told_from_their_heads(value: object) -> None:
    body = memoryview(msgpack.packb(value))
    count = sum(1 for byte in msgpack.packb(value))
    assert holds_few(body) or count > 64
    assert not holds_few(memoryview(bytes(body) + b"\xc0"))
    assert not holds_few(body[:-1])


@pytest.mark.parametrize("size", [0, 31, 32, 255, 256, 65_535, 65_536])
def test_few_values_of_any_size_are_told(size: int) -> None:
    for value in ("x" * size, b"x" * size, msgpack.ExtType(5, b"x" * size), [size, -size, 1.5, "x" * size]):
        assert holds_few(memoryview(msgpack.packb(value)))
        assert not holds_few(memoryview(msgpack.packb([value] * 64)))


@given(body=st.binary(max_size=100))
def test_few_values_are_told_of_any_bytes(body: bytes) -> None:
    if holds_few(memoryview(body)):
        msgpack.unpackb(body, strict_map_key=False, ext_hook=lambda code, data: None, unicode_errors="replace")
