"""Large bytes as frames of their own: bytes, bytearrays, and memoryviews, which arrive as they were.

A memoryview arrives as a read-only view of the frame that brought it, without a copy; bytes and bytearrays are what
they are only as a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from meshmq.codecs.base import LARGE_BYTES, Buffer, Refused
from meshmq.errors import DecodeError

BYTES: Final = 9
BYTEARRAY: Final = 10
VIEW: Final = 11
CODES: Final = {bytes: BYTES, bytearray: BYTEARRAY, memoryview: VIEW}
#: How each is made of its frame.
_MADE: Final[dict[int, Callable[[Buffer], object]]] = {
    BYTES: bytes,
    BYTEARRAY: bytearray,
    VIEW: lambda buffer: memoryview(buffer).toreadonly(),
}


def holds_large(values: Iterable[object]) -> bool:
    """Tell whether large bytes are among some values."""
    return any(type(value) is bytes and len(value) >= LARGE_BYTES for value in values)


def holds_large_within(data: object) -> bool:
    """Tell whether large bytes are anywhere in plain ``data``."""
    nodes: list[Any] = [data]
    while nodes:
        if holds_large(nodes):
            return True
        lists = [below for node in nodes if type(node) is list for below in node]
        nodes = lists + [below for node in nodes if type(node) is dict for below in node.values()]
    return False


def bytes_of_view(value: memoryview) -> memoryview:
    """Return what is sent of a memoryview.

    Raises:
        Refused: it is of more than bytes.
    """
    if value.ndim != 1 or value.format != "B":
        raise Refused("is a memoryview of more than bytes, which would arrive as bytes: send view.cast('B')")
    return value if value.c_contiguous else memoryview(value.tobytes())


def unpack_bytes(code: int, rest: list[Any], buffers: Iterator[Buffer]) -> object:
    """Return the value that is the next buffer, or a small memoryview.

    Raises:
        DecodeError: it is none.
    """
    if code == VIEW and len(rest) == 1 and type(rest[0]) is bytes:
        return memoryview(rest[0])
    buffer = next(buffers, None)
    if rest or buffer is None:
        raise DecodeError("large bytes without their frame")
    return _MADE[code](buffer)
