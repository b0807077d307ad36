"""What the two ends of a direct link tell each other of memory that both can read; sessions never hear of it.

Each is a message of its own, whose first frame starts with the head of every direct message, numbered 0::

    kind 5  MEMORY = process u32 · descriptor u32 · inode u64 · token (16 bytes)
    kind 6  FOUND  = answer (16 bytes)
    kind 7  LENT   = one record for each frame that is lent, then the frames of the message, the lent ones empty
            record = place u8 · descriptor u32 · inode u64 · slot u32 · cell u8 · length u64
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from meshmq.errors import ProtocolError
from meshmq.wire.frames import HEAD_BYTES, MAGIC, VERSION

MEMORY: Final = 5
FOUND: Final = 6
LENT: Final = 7

TOKEN_BYTES: Final = 16
_MEMORY: Final = struct.Struct(f"!IIQ{TOKEN_BYTES}s")
_RECORD: Final = struct.Struct("!BIQIBQ")
_HEADS: Final = {kind: bytes((*MAGIC, VERSION, kind)).ljust(HEAD_BYTES, b"\0") for kind in (MEMORY, FOUND, LENT)}
#: What the first frame of each starts with.
STARTS: Final = {head[:4]: kind for kind, head in _HEADS.items()}


class Memory(NamedTuple):
    """A descriptor of a process behind which is memory that peers may read, and what stands there as a proof."""

    process: int
    descriptor: int
    inode: int
    token: bytes


class Lent(NamedTuple):
    """One frame of a message, and where it lies in memory of the peer."""

    place: int
    descriptor: int
    inode: int
    slot: int
    cell: int
    length: int


def pack_memory(memory: Memory) -> bytes:
    """Return the frame of a MEMORY."""
    return _HEADS[MEMORY] + _MEMORY.pack(*memory)


def unpack_memory(frame: bytes) -> Memory:
    """Read the frame of a MEMORY.

    Raises:
        ProtocolError: it is none.
    """
    if len(frame) < HEAD_BYTES + _MEMORY.size:
        raise ProtocolError("a MEMORY that is too short")
    return Memory(*_MEMORY.unpack_from(frame, HEAD_BYTES))


def pack_found(answer: bytes) -> bytes:
    """Return the frame of a FOUND."""
    return _HEADS[FOUND] + answer


def unpack_found(frame: bytes) -> bytes:
    """Return the answer in the frame of a FOUND, of whatever length."""
    return frame[HEAD_BYTES:]


def pack_lent(lent: Iterable[Lent]) -> bytes:
    """Return the first frame of a LENT."""
    return _HEADS[LENT] + b"".join(_RECORD.pack(*one) for one in lent)


def unpack_lent(frames: Sequence[bytes]) -> list[Lent]:
    """Read what the first of the frames of a LENT says of those that follow.

    Raises:
        ProtocolError: it is none.
    """
    body = frames[0][HEAD_BYTES:]
    if not body or len(body) % _RECORD.size:
        raise ProtocolError("a LENT with a record that is none")
    lent = [Lent(*fields) for fields in _RECORD.iter_unpack(body)]
    places = {one.place for one in lent}
    if len(places) < len(lent) or max(places) >= len(frames) - 1 or any(len(frames[1 + place]) for place in places):
        raise ProtocolError("a LENT with a frame in a place that is none")
    return lent
