"""What workers and devices say of jobs that are not acknowledged: a verdict, and maybe why, in a SETTLE frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from meshmq.blame import speakable
from meshmq.codecs.msgpack import pack_plain
from meshmq.errors import ProtocolError
from meshmq.wire.fields import Ranges, flat, read_fields, read_name, read_ranges, showable

#: The longest pause that a nack may ask for.
DELAY_LIMIT: Final = 365 * 86_400.0
#: The most characters of the reason that a worker gives.
REASON_LIMIT: Final = 1_000


class Verdict(IntEnum):
    """What a worker says of jobs that it does not acknowledge."""

    RETURNED = 0  # fetched and never begun
    LEFT = 1  # begun, and left without a word
    REFUSED = 2  # nack, or the handler raised
    REJECTED = 3  # never to be tried again: the data cannot be decoded here, or the program says so
    HELD = 4  # handled: it is confirmed when what was made of it is safe
    LOST = 5  # a device has lost the worker that had it
    BLAMED = 6  # as LOST, and it was begun last
    EXPIRED = 7  # nobody began it in its time to live
    OVERDUE = 8  # begun, and its lease ran out


@dataclass(frozen=True, slots=True)
class Settle:
    """What is said of some jobs: ``delay`` is the pause in seconds that a nack asks for, ``reason`` why it came."""

    queue: str
    verdict: Verdict
    origin: bytes
    ranges: tuple[tuple[int, int], ...]
    delay: float | None = None
    reason: str = ""


def pack_settle(
    queue: str, verdict: Verdict, origin: bytes, ranges: Ranges, delay: float | None = None, reason: str = ""
) -> bytes:
    """Return the body of a SETTLE."""
    pause = None if delay is None else min(max(0.0, delay), DELAY_LIMIT)
    why = [speakable(reason[:REASON_LIMIT])] if reason else []
    return pack_plain([queue, int(verdict), origin, flat(ranges), pause, *why])


def unpack_settle(body: bytes) -> Settle:
    """Read the body of a SETTLE.

    Raises:
        ProtocolError: it is none.
    """
    queue, verdict, origin, edges, delay, reason = read_fields(
        body, str, int, bytes, list, (float, int, type(None)), later=(str,)
    )
    if len(origin) != 16 or verdict not in Verdict.__members__.values():
        raise ProtocolError("a SETTLE with fields that are none")
    # What is not above 0, NaN included, is no pause.
    pause = None if delay is None else float(min(delay, DELAY_LIMIT)) if delay > 0 else 0.0
    return Settle(
        read_name(queue), Verdict(verdict), origin, read_ranges(edges), pause, showable(reason[:REASON_LIMIT])
    )
