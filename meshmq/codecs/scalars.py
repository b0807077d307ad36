"""Single values that MessagePack has no type for, each as a code and a few bytes.

=====  ============  ==================================================================
code   type          bytes
=====  ============  ==================================================================
16     int           two's complement, big end first; only beyond 64 bits, at most 4096 bytes
17     Decimal       ``str(value)`` in ASCII, at most 4096 bytes
18     datetime      ISO 8601 with its offset, as in ``2026-01-31T12:00:00.5+01:00``
19     date          ISO 8601
20     time          ISO 8601, with or without an offset
21     timedelta     days (int32), seconds (uint32), microseconds (uint32), big end first
22     UUID          its 16 bytes
23     complex       two float64, big end first
24     bytearray     its bytes
=====  ============  ==================================================================
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from meshmq.codecs.base import Refused
from meshmq.errors import DecodeError

#: Parsing digits costs their number; without a bound a few bytes of header would not tell what comes.
_NUMBER_BYTES: Final = 4096

_DECIMAL: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:E[+-][0-9]{1,18})?|Infinity|s?NaN[0-9]*)")
_EXACT: Final = Context(traps=[InvalidOperation])  # whatever the user's own context says
#: ISO 8601 has no such offsets, and ``fromisoformat`` takes those below a second for UTC.
_ODD_OFFSET: Final = "has an offset that is no whole number of seconds: send value.astimezone(timezone.utc)"
_SPAN: Final = struct.Struct(">iII")
_COMPLEX: Final = struct.Struct(">dd")


def _pack_int(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    if size > _NUMBER_BYTES:
        raise Refused(f"is an int of {size:,} bytes and may have {_NUMBER_BYTES:,}: send it as bytes")
    return value.to_bytes(size, "big", signed=True)


def _unpack_int(payload: bytes) -> int:
    if not 0 < len(payload) <= _NUMBER_BYTES:
        raise DecodeError(f"an int of {len(payload):,} bytes")
    return int.from_bytes(payload, "big", signed=True)


def _pack_decimal(value: Decimal) -> bytes:
    text = str(value)
    if len(text) > _NUMBER_BYTES:
        raise Refused(f"is a Decimal of {len(text):,} characters and may have {_NUMBER_BYTES:,}: send it as a str")
    return text.encode("ascii").replace(b"e", b"E")  # a context with capitals=0 writes a small e


def _unpack_decimal(payload: bytes) -> Decimal:
    text = payload.decode("ascii")
    if len(text) > _NUMBER_BYTES or _DECIMAL.fullmatch(text) is None:
        raise DecodeError(f"{text[:40]!r} is no Decimal")
    return Decimal(text, _EXACT)


def _pack_datetime(value: datetime) -> bytes:
    offset = value.utcoffset()
    if offset is None:
        raise Refused(
            "is a datetime without a time zone, which is another moment on another machine: "
            "send datetime.now(timezone.utc) or value.astimezone()"
        )
    if offset.microseconds:
        raise Refused(_ODD_OFFSET)
    return value.isoformat().encode("ascii")


def _unpack_datetime(payload: bytes) -> datetime:
    value = datetime.fromisoformat(payload.decode("ascii"))
    if value.utcoffset() is None:
        raise DecodeError("a datetime without a time zone")
    return value


def _pack_time(value: time) -> bytes:
    offset = value.utcoffset()
    if value.tzinfo is not None and offset is None:
        raise Refused(f"is a time in {value.tzinfo}, whose offset depends on the day: send a datetime")
    if offset is not None and offset.microseconds:
        raise Refused(_ODD_OFFSET)
    if value.fold:
        raise Refused("is a time with fold=1, which would be lost: send a datetime with its offset")
    return value.isoformat().encode("ascii")


def _pack_timedelta(value: timedelta) -> bytes:
    return _SPAN.pack(value.days, value.seconds, value.microseconds)


def _unpack_timedelta(payload: bytes) -> timedelta:
    return timedelta(*_SPAN.unpack(payload))


_Pack = Callable[[Any], bytes]
_Unpack = Callable[[bytes], object]

_ROWS: Final[tuple[tuple[int, type, _Pack, _Unpack], ...]] = (
    (16, int, _pack_int, _unpack_int),
    (17, Decimal, _pack_decimal, _unpack_decimal),
    (18, datetime, _pack_datetime, _unpack_datetime),
    (19, date, lambda value: value.isoformat().encode("ascii"), lambda payload: date.fromisoformat(payload.decode())),
    (20, time, _pack_time, lambda payload: time.fromisoformat(payload.decode())),
    (21, timedelta, _pack_timedelta, _unpack_timedelta),
    (22, UUID, lambda value: value.bytes, lambda payload: UUID(bytes=payload)),
    (23, complex, lambda value: _COMPLEX.pack(value.real, value.imag), lambda data: complex(*_COMPLEX.unpack(data))),
    (24, bytearray, bytes, bytearray),
)
KINDS: Final = tuple(kind for _, kind, _, _ in _ROWS)
_PACK: Final = {kind: (code, pack) for code, kind, pack, _ in _ROWS}
_UNPACK: Final = {code: unpack for code, _, _, unpack in _ROWS}


def pack_scalar(value: object) -> tuple[int, bytes] | None:
    """Return the code and bytes of ``value``, or None where its type is none of these.

    Raises:
        Refused: its type is, but it would not come back equal.
    """
    row = _PACK.get(type(value))
    if row is None:
        return None
    code, pack = row
    try:
        return code, pack(value)
    except Refused:
        raise
    except Exception as error:  # a tzinfo is anybody's code
        raise Refused(f"is a {type(value).__name__} that cannot be packed: {error!r}") from error


def unpack_scalar(code: int, payload: bytes) -> object:
    """Return the value that ``pack_scalar`` was given.

    Raises:
        DecodeError: no value has this code, or the bytes are none of its.
    """
    unpack = _UNPACK.get(code)
    if unpack is None:
        raise DecodeError(f"a value of the unknown kind {code}: the sender's MeshMQ may be newer than this one")
    try:
        return unpack(payload)
    except (ValueError, OverflowError, struct.error, InvalidOperation) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError(f"a value of kind {code} with unusable bytes: {error}") from error
