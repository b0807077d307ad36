"""The batches of jobs, as we pack them and by hand; see ``golden_frames``."""

from __future__ import annotations

from struct import pack
from typing import Any, Final

from msgpack import packb  # type: ignore[import-untyped]  # msgpack ships no types

from meshmq.wire.batches import Terms, pack_batch, pack_onward, unpack_batch
from meshmq.wire.frames import Kind, pack_head
from meshmq.wire.row import Row

ORIGIN: Final = bytes(range(32, 48))
OTHER: Final = bytes(range(16, 32))
BODIES: Final = [b"\xc0", b"\xa5hello", b"\x01"]
ROW: Final = Row.of(BODIES)
FIRST: Final = Row.of(BODIES[:1])


def _head(number: int, received: int) -> bytes:
    return pack("!2sBBQQ", b"MQ", 2, 19, number, received)


def msgpack(value: object) -> bytes:
    packed: bytes = packb(value)
    return packed


def batch(flags: int, attempt: int, extras: bytes, bodies: list[bytes], more: bytes = b"", first: int = 41) -> bytes:
    return b"".join(
        (
            pack("!B", len(b"jobs")) + b"jobs",
            pack("!16sQIHBIf", ORIGIN, first, len(bodies), attempt, flags, 9, 0.25),
            more,
            pack("!I", len(extras)) + extras if flags & 1 else b"",
            *(pack("!I", len(body)) for body in bodies),
            *bodies,
        )
    )


def jobs(row: Row, **more: Any) -> bytes:
    return pack_batch("jobs", ORIGIN, 41, row, backlog=9, held=0.25, **more)[0]


def onward(start: int, end: int) -> bytes:
    """Return what a device makes of a batch of node ``OTHER`` with headers."""
    frames = pack_batch("jobs", ORIGIN, 41, ROW, attempt=2, backlog=0, held=0.0, headers={1: {"a": "b"}})
    return pack_onward(unpack_batch(frames), start, end, pusher=OTHER, backlog=9, held=0.25)[0]


JOBS: Final[dict[str, tuple[bytes, bytes]]] = {
    "jobs": (pack_head(Kind.JOBS, 4, 2) + jobs(ROW, attempt=1), _head(4, 2) + batch(0, 1, b"", BODIES)),
    "jobs_with_headers": (
        pack_head(Kind.JOBS, 5, 2) + jobs(ROW, attempt=2, headers={1: {"a": "b"}}),
        _head(5, 2) + batch(1, 2, msgpack([1, {"a": "b"}]), BODIES),
    ),
    "jobs_with_a_buffer": (
        pack_head(Kind.JOBS, 6, 2) + jobs(FIRST, attempt=1, buffers=[b"large"]),
        _head(6, 2) + batch(2, 1, b"", BODIES[:1]),
    ),
    "jobs_with_a_buffer_each": (
        pack_head(Kind.JOBS, 6, 2) + jobs(ROW, attempt=1, buffers=[b"large"] * len(BODIES)),
        _head(6, 2) + batch(2, 1, b"", BODIES),
    ),
    "jobs_alone": (
        pack_head(Kind.JOBS, 6, 2) + jobs(FIRST, attempt=2, alone=True),
        _head(6, 2) + batch(4, 2, b"", BODIES[:1]),
    ),
    "jobs_on_terms": (
        pack_head(Kind.JOBS, 6, 2) + jobs(FIRST, attempt=2, terms=Terms(1.5, None, 7)),
        _head(6, 2) + batch(16, 2, b"", BODIES[:1], pack("!ffB", 1.5, -1.0, 7)),
    ),
    "jobs_sent_on": (
        pack_head(Kind.JOBS, 6, 2) + onward(0, 3),
        _head(6, 2) + batch(9, 2, msgpack([1, {"a": "b"}]), BODIES, OTHER),
    ),
    "jobs_sent_on_in_part": (
        pack_head(Kind.JOBS, 6, 2) + onward(1, 3),
        _head(6, 2) + batch(9, 2, msgpack([0, {"a": "b"}]), BODIES[1:], OTHER, 42),
    ),
}
