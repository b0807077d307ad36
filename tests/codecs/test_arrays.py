"""numpy arrays and scalars: every dtype, order and shape comes back equal, as a read-only view."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from meshmq.codecs import arrays
from meshmq.codecs.base import LARGE_BYTES
from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.errors import DecodeError, EncodeError, MessageTooLarge

np = pytest.importorskip("numpy", reason="numpy is not installed")

codec = MsgpackCodec()

DTYPES = [
    "?", "i1", "u1", "<i2", ">i2", "<u2", "<i4", ">i4", "<u4", "<i8", ">i8", "<u8", ">u8", "<f2", "<f4", ">f4", "<f8",
    ">f8", "<c8", "<c16", ">c16", "<M8[ns]", ">M8[D]", "<M8[25s]", "<m8[us]", "<m8", "S5", "<U3", ">U3", "V4",
    [("a", "<i4"), ("b", ">f8")], [("name", "<U4"), ("when", "<M8[s]"), ("é", "S2")],
]  # fmt: skip
SHAPES: dict[str, Callable[[Any], Any]] = {
    "row": lambda row: row,
    "C": lambda row: row.reshape(2, 3, 4),
    "Fortran": lambda row: np.asfortranarray(row.reshape(4, 6)),
    "strided": lambda row: row[::5],
    "reversed": lambda row: row.reshape(4, 6)[::-1, ::-2],
    "transposed": lambda row: row.reshape(2, 3, 4).transpose(1, 2, 0),
    "broadcast": lambda row: np.broadcast_to(row[:3], (5, 3)),
    "scalar shape": lambda row: row[3:4].reshape(()),
    "empty": lambda row: row[:0],
    "empty in three": lambda row: row[:0].reshape(3, 0, 2),
}


def row(dtype: Any) -> Any:
    """Return 24 elements with bytes of all sorts."""
    kind = np.dtype(dtype)
    if kind.kind == "U" or kind.names:
        array = np.zeros(24, kind)
        for index in range(24):
            array[index] = (
                str(index) if kind.kind == "U" else tuple(np.array(str(index)).astype(kind[n]) for n in kind.names)
            )
        return array
    return np.frombuffer((bytes(range(7, 256)) * 8)[: 24 * kind.itemsize], kind)


def round_trip(value: Any) -> Any:
    return codec.decode(*codec.encode(value))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_array_comes_back_equal(dtype: Any, shape: str) -> None:
    value = SHAPES[shape](row(dtype))
    back = round_trip(value)
    assert type(back) is np.ndarray
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    assert back.tobytes() == value.tobytes()
    assert back.flags.aligned
    assert not back.flags.writeable


def test_small_arrays_stand_in_the_body_and_large_ones_in_frames_of_their_own() -> None:
    small, large, larger = np.zeros(LARGE_BYTES - 1, "u1"), np.ones(LARGE_BYTES, "u1"), np.arange(100_000.0)
    value = {"a": large, "b": [small, (larger,)], "c": large}
    body, buffers = codec.encode(value)
    assert [len(buffer) for buffer in buffers] == [LARGE_BYTES, 800_000, LARGE_BYTES]
    assert LARGE_BYTES < len(body) < LARGE_BYTES + 1000
    back: Any = codec.decode(memoryview(body), [memoryview(buffer) for buffer in buffers])
    assert np.array_equal(back["b"][1][0], larger)
    assert np.shares_memory(back["a"], np.frombuffer(buffers[0], "u1"))
    assert not np.shares_memory(back["a"], large)


def test_received_array_is_read_only_even_on_a_writable_frame() -> None:
    body, buffers = codec.encode(np.zeros(LARGE_BYTES, "u1"))
    back: Any = codec.decode(body, [memoryview(bytearray(buffers[0]))])
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1


def test_frame_at_an_odd_address_gives_an_aligned_array() -> None:
    value = np.arange(20_000.0)
    body, buffers = codec.encode(value)
    for shift in range(8):
        back: Any = codec.decode(body, [memoryview(b"x" * shift + buffers[0])[shift:]])
        assert back.flags.aligned
        assert np.array_equal(back, value)


def test_caller_may_write_to_its_array_when_the_call_returns() -> None:
    for size in (10, LARGE_BYTES):
        value = np.zeros(size, "u1")
        message = codec.encode(value)
        value[:] = 1
        back: Any = codec.decode(*message)
        assert not back.any()


SCALARS = [
    np.bool_(True), np.int8(-1), np.uint64(2**63), np.int64(1), np.float16(1.5), np.float32("nan"), np.float64(0.1),
    np.complex64(1j), np.complex128(-1j), np.datetime64("2026-01-31"), np.datetime64("NaT", "us"),
    np.timedelta64(5, "us"),
    np.str_(""), np.str_("żółw"), np.bytes_(b""), np.bytes_(b"abc"),
]  # fmt: skip


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_scalar_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    for back in (round_trip(value), round_trip([value])[0], *round_trip({(value,): 1})):
        back = back[0] if isinstance(back, tuple) else back
        assert type(back) is type(value)
        assert back.dtype == value.dtype
        assert back.tobytes() == value.tobytes()


def records() -> Any:
    return np.zeros(2, np.dtype([("a", "i1"), ("b", "i4")], align=True))


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.array([object()]),
        lambda: np.array([1, "x"], object),
        lambda: np.zeros(2, [("a", "O")]),
        lambda: np.zeros(2, "g"),
        lambda: np.zeros(2, "M8[0s]"),
        lambda: np.zeros(2, [("a", [("b", "i4")])]),
        lambda: np.zeros(2, [("a", "i4", (2,))]),
        lambda: np.zeros(2, [(("title", "a"), "i4")]),
        records,
        lambda: np.zeros(2, {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0]}),
        lambda: np.ma.array([1, 2]),
        lambda: np.zeros(2, "i4").view(np.recarray),
        lambda: np.zeros(2, [("a", "i4")])[0],
        lambda: np.longdouble(1),
        lambda: np.longlong(1) if np.longlong is not np.int64 else np.longdouble(1),
        lambda: np.str_("a\0"),
        lambda: np.bytes_(b"a\0"),
        lambda: np.dtype("i4"),
        lambda: np.int64,
    ],
)
def test_what_would_not_come_back_equal_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(EncodeError, match=r'^data\["a"\]\[0\] ') as caught:
        codec.encode({"a": [make()]})
    assert caught.value.path == 'data["a"][0]'


def test_array_over_the_limit_is_refused_before_it_is_copied() -> None:
    with pytest.raises(MessageTooLarge):
        codec.encode(np.broadcast_to(np.zeros(1), (10**6, 10**7)))
    with pytest.raises(MessageTooLarge):
        MsgpackCodec(limit=150_000).encode([np.zeros(100_000, "u1")] * 2)


@pytest.mark.parametrize(
    ("dtype", "shape", "data"),
    [
        ("<f8", [2], b"1234567"), ("<f8", [], b""), ("<f8", [-1], b""), ("<f8", [True], b"12345678"), ("<f8", 1, b""),
        ("<f8", [2**40, 2**40], b""), ("<f8", [0, 2**63], b""), ("<f8", [1] * 100, b"12345678"),
        ("|O", [1], b"12345678"),
        ("O", [1], b"12345678"), ("<f8,<f8", [1], b"x" * 16), ("f8", [1], b"12345678"), ("<f16", [1], b"x" * 16),
        ("<U0", [1], b""), ("<U1", [1], b"\xff\xff\xff\x7f"), (">U1", [1], b"\x7f\xff\xff\xff"), ("", [], b""),
        ("<U999999999", [0], b"x"),
        ([], [1], b""), ([["a", "|O"]], [1], b"12345678"), ([["a", "<U1"]], [1], b"\xff" * 4), ([["a"]], [1], b""),
        ([["a", "<i4"], ["a", "<i4"]], [1], b"12345678"), ([[1, "<i4"]], [1], b"1234"), ({"names": []}, [1], b""),
        ("<M8[zz]", [1], b"12345678"), ("<M8[0s]", [1], b"12345678"), (None, None, b""), (["x"], ["y"], b"z"),
    ],
)  # fmt: skip
def test_parts_that_make_no_array_are_a_decode_error(dtype: Any, shape: Any, data: bytes) -> None:
    with pytest.raises(DecodeError):
        arrays.unpack_array(dtype, shape, data)


def test_shape_of_many_dimensions_is_refused_before_it_is_multiplied() -> None:
    with pytest.raises(DecodeError, match="65 dimensions"):
        arrays.unpack_array("<f8", [2**64 - 1] * 65, b"12345678")


def test_frames_that_are_missing_or_too_many_are_a_decode_error() -> None:
    body, (buffer,) = codec.encode([np.zeros(LARGE_BYTES, "u1")])
    for buffers in ([], [buffer, buffer], [buffer[:-1]], [b""]):
        with pytest.raises(DecodeError):
            codec.decode(body, buffers)


def test_numpy_is_imported_by_the_first_array_only() -> None:
    program = (
        "import sys; from meshmq.codecs.msgpack import MsgpackCodec; codec = MsgpackCodec()\n"
        "codec.decode(*codec.encode([1, (2, {3.5}), 2**70])); assert 'numpy' not in sys.modules\n"
        "print(codec.decode(bytes.fromhex(sys.argv[1]))[1])"
    )
    body = codec.encode(np.arange(3))[0]
    done = subprocess.run(
        [sys.executable, "-c", program, body.hex()], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == "1\n", done.stderr
