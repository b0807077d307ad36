"""Values twice: as our codec packs them, and by hand, as PROTOCOL.md says they are packed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from struct import pack
from typing import Final
from uuid import UUID

from msgpack import ExtType  # type: ignore[import-untyped]  # msgpack ships no types

from tests.wire.golden_jobs import msgpack


def tree(value: object) -> bytes:
    return b"\xc1" + msgpack(value)


VALUES: Final[dict[str, tuple[object, bytes]]] = {
    "plain": (
        {"id": 1, "name": "kitchen", "ok": True, "none": None, "list": [1.5, -1], "raw": b"\x00"},
        msgpack({"id": 1, "name": "kitchen", "ok": True, "none": None, "list": [1.5, -1], "raw": b"\x00"}),
    ),
    "tuple": ((1, "a"), tree([ExtType(1, b""), 1, "a"])),
    "set": ({7}, tree([ExtType(2, b""), 7])),
    "frozenset": (frozenset({7}), tree([ExtType(3, b""), 7])),
    "mapping": ({(1, 2): "a"}, tree([ExtType(4, b""), [ExtType(1, b""), 1, 2], "a"])),
    "nested": ({"a": [(1,)]}, tree({"a": [[ExtType(1, b""), 1]]})),
    "big_int": (2**64, tree(ExtType(16, b"\x01" + bytes(8)))),
    "decimal": (Decimal("1.50"), tree(ExtType(17, b"1.50"))),
    "datetime": (datetime(2026, 1, 31, 12, tzinfo=UTC), tree(ExtType(18, b"2026-01-31T12:00:00+00:00"))),
    "date": (date(2026, 1, 31), tree(ExtType(19, b"2026-01-31"))),
    "time": (time(12, 30), tree(ExtType(20, b"12:30:00"))),
    "timedelta": (timedelta(days=-1, seconds=2, microseconds=3), tree(ExtType(21, pack("!iII", -1, 2, 3)))),
    "uuid": (UUID(int=5), tree(ExtType(22, bytes(15) + b"\x05"))),
    "complex": (1 - 2j, tree(ExtType(23, pack("!dd", 1.0, -2.0)))),
    "bytearray": (bytearray(b"ab"), tree(ExtType(24, b"ab"))),
}
