"""What all bodies are made of, read with suspicion: fields, names, texts, whole numbers, ranges of them.

A body is a MessagePack array or map of plain values. Fields beyond those a version knows are
ignored; one that is missing, of another type or beyond its bounds makes the whole body none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from meshmq.codecs.msgpack import unpack_plain
from meshmq.errors import DecodeError, ProtocolError
from meshmq.names import NAME_BYTES

#: The most bytes of a body that is an array of fields.
BODY_LIMIT: Final = 64 * 1024
#: Every whole number on the wire is below this, so that one more still fits into 64 bits.
NUMBERS: Final = 2**63
#: The most ranges in one body.
RANGES_LIMIT: Final = 1_000

#: Number ranges of one origin, both ends included.
Ranges = Sequence[tuple[int, int]]

#: Names are shown in logs and tables: nothing that ends a line or steers a terminal. (What a *user* may choose is
#: stricter, ``names.check_name``, but depends on the version of Unicode; this does not.)
_UNSHOWABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def read_fields(body: bytes | memoryview, *types: type | tuple[type, ...], later: tuple[type, ...] = ()) -> list[Any]:
    """Return the first fields of a body, of exactly these types; whole numbers are at least 0.

    What may be one of several types is for the caller to bound. ``later`` are fields that older versions do not
    send: one that is not there is what its type makes of nothing.

    Raises:
        ProtocolError: they are not there.
    """
    try:
        values: Any = unpack_plain(body, limit=BODY_LIMIT)
    except DecodeError as error:
        raise ProtocolError(str(error)) from error
    if type(values) is not list or len(values) < len(types):
        raise ProtocolError("a body with too few fields")
    for value, wanted in zip(values, types, strict=False):
        kind = type(value)
        if kind is not wanted and not (type(wanted) is tuple and kind in wanted):
            raise ProtocolError("a body with a field of the wrong type")
        if wanted is int and not 0 <= value < NUMBERS:
            raise ProtocolError("a body with a number beyond its bounds")
    found = values[: len(types)]
    if not later:
        return found
    for kind, value in zip(later, values[len(types) :] or [kind() for kind in later], strict=False):
        if type(value) is not kind:
            raise ProtocolError("a body with a field of the wrong type")
        found.append(value)
    return found


def showable(text: str) -> str:
    """Return a text with what ends a line or steers a terminal replaced."""
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def read_name(name: object) -> str:
    """Return the name of a node, mesh or queue.

    Raises:
        ProtocolError: it is none.
    """
    if type(name) is not str or not 0 < len(name.encode()) <= NAME_BYTES or _UNSHOWABLE.search(name):
        raise ProtocolError("a name that is none")
    return name


def read_texts(values: object, most: int, longest: int) -> tuple[str, ...]:
    """Return a list of at most ``most`` texts of 1 to ``longest`` characters.

    Raises:
        ProtocolError: it is none.
    """
    if type(values) is not list or len(values) > most:
        raise ProtocolError("a list of texts that is none")
    if not all(type(value) is str and 0 < len(value) <= longest and not _UNSHOWABLE.search(value) for value in values):
        raise ProtocolError("a list of texts that is none")
    return tuple(values)


def read_ranges(edges: object) -> tuple[tuple[int, int], ...]:
    """Return the ranges that ``[first, last, first, last ...]`` stands for.

    Raises:
        ProtocolError: it is no such list, or has too many of them.
    """
    if type(edges) is not list or len(edges) % 2 or len(edges) > 2 * RANGES_LIMIT:
        raise ProtocolError("ranges that are none")
    if not all(type(edge) is int and 0 <= edge < NUMBERS for edge in edges):
        raise ProtocolError("ranges that are none")
    pairs = tuple(zip(edges[::2], edges[1::2], strict=True))
    if any(first > last for first, last in pairs):
        raise ProtocolError("a range that ends before it starts")
    return pairs


def flat(ranges: Ranges) -> list[int]:
    """Return ranges as they are sent."""
    return [edge for pair in ranges for edge in pair]
