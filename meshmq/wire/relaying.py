"""How news pass a device for topics: what is asked of it, how it sends on, and the echo that tells a way works.

::

    wanted  = 0xFE · publisher 16 bytes · what the topics start with      (subscribed to at a device)
    relayed = 0xFE · publisher 16 bytes · news                            (what a device sends on)
    probe   = marker · who is to answer u8                                (subscribed to after all others)
    echo    = probe · "MQ" · version u8 · count times: publisher 16 bytes · turn u64 · mark u64

Who subscribes to a probe hears its echo over the same topics link, in order with the news there: what it had
subscribed to with this mark, or one before it, brings all news of the publisher with a higher ``turn``. A turn of 0
says that the device does not hear that publisher any more.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meshmq.errors import ProtocolError
from meshmq.wire.fields import NUMBERS
from meshmq.wire.frames import MAGIC, VERSION, VersionMismatch
from meshmq.wire.news import add_held
from meshmq.wire.subscribing import MARKER, MARKER_BYTES, marker, read_marker

#: What no topic starts with, and no marker.
RELAYED: Final = b"\xfe"
_TAG_BYTES: Final = 17
#: Who answers a probe: the publisher a subscriber of its, or a device before it; a device a subscriber of its.
TO_PUBLISHER: Final = b"\x01"
FROM_DEVICE: Final = b"\x02"
TO_DEVICE: Final = b"\x03"
_ASKS: Final = (TO_PUBLISHER, FROM_DEVICE, TO_DEVICE)
_START: Final = struct.Struct("!2sB")
_ENTRY: Final = struct.Struct("!16sQQ")
ENTRIES_LIMIT: Final = 1_000


def tag(publisher: bytes) -> bytes:
    """Return what stands before a publisher's news, and before what is wanted of them, at a device."""
    return RELAYED + publisher


def read_wanted(string: bytes) -> tuple[bytes, bytes] | None:
    """Return the publisher and the beginning of its topics that are wanted of a device; nothing where it is none."""
    if len(string) < _TAG_BYTES or string[:1] != RELAYED:
        return None
    return string[1:_TAG_BYTES], string[_TAG_BYTES:]


def pack_relayed(publisher: bytes, frame: bytes, place: int, held: float) -> bytes:
    """Return the frame that a device sends on; ``place`` is where the topic ends, ``held`` is added to its age."""
    return b"".join((RELAYED, publisher, *add_held(frame, place, held)))


def unpack_relayed(frame: bytes) -> tuple[bytes, bytes]:
    """Return the publisher, and the frame as it was sent.

    Raises:
        ProtocolError: a device sent on nothing.
    """
    found = read_wanted(frame)
    if found is None:
        raise ProtocolError("news of a device that are none")
    return found


def probe(node_id: bytes, mark: int, ask: bytes) -> bytes:
    """Return a marker that is answered by an echo."""
    return marker(node_id, mark) + ask


def read_probe(string: bytes) -> tuple[bytes, int, bytes] | None:
    """Return ``(node id, number, who is to answer)`` of a probe, nothing where a string is none."""
    told = read_marker(string[:-1])
    return (*told, string[-1:]) if told is not None and string[-1:] in _ASKS else None


@dataclass(frozen=True, slots=True)
class Echo:
    """Of one publisher: strings up to ``mark`` bring what has a higher ``turn`` (0: nothing any more)."""

    publisher: bytes
    turn: int
    mark: int


def pack_echo(string: bytes, entries: Sequence[Echo]) -> list[bytes]:
    """Return the frames that answer a probe, as many as the entries need."""
    parts = [entries[start : start + ENTRIES_LIMIT] for start in range(0, len(entries), ENTRIES_LIMIT)]
    head = string + _START.pack(MAGIC, VERSION)
    return [head + b"".join(_ENTRY.pack(one.publisher, one.turn, one.mark) for one in part) for part in parts]


def is_echo(frame: bytes) -> bool:
    """Whether a frame of a topics link is an echo, and no news."""
    return frame[:1] == MARKER


def unpack_echo(frame: bytes) -> tuple[bytes, list[Echo]]:
    """Return the probe that is answered, and what the answer says.

    Raises:
        VersionMismatch: it is of a version that we do not speak.
        ProtocolError: it is none.
    """
    start = MARKER_BYTES + 1
    body = frame[start + _START.size :]
    if len(frame) < start + _START.size or len(body) % _ENTRY.size or len(body) > ENTRIES_LIMIT * _ENTRY.size:
        raise ProtocolError("an echo that is cut short")
    magic, version = _START.unpack_from(frame, start)
    if magic != MAGIC:
        raise ProtocolError("an echo that does not start as ours do")
    if version != VERSION:
        raise VersionMismatch(version)
    entries = [Echo(*fields) for fields in _ENTRY.iter_unpack(body)]
    if any(entry.turn >= NUMBERS or entry.mark >= NUMBERS for entry in entries):
        raise ProtocolError("an echo with numbers that are none")
    return frame[:start], entries
