"""What the two ends of a direct link say to agree on a lane, and how messages stand in one; sessions never hear of it.

Each of the former is a message of its own, whose first frame starts with the head of every direct message, numbered 0::

    kind 8   WANTED = nothing
    kind 9   LAID   = process u32 · descriptor u32 · inode u64
    kind 10  TAKEN  = took u8

A lane is a stream of bytes, and a message in it::

    message = frames u8 · one length u32 for each · the frames
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from meshmq.errors import ProtocolError
from meshmq.wire.frames import HEAD_BYTES, MAGIC, VERSION

WANTED: Final = 8
LAID: Final = 9
TAKEN: Final = 10

_LAID: Final = struct.Struct("!IIQ")
_ONE: Final = struct.Struct("!BI")
_HEADS: Final = {kind: bytes((*MAGIC, VERSION, kind)).ljust(HEAD_BYTES, b"\0") for kind in (WANTED, LAID, TAKEN)}
#: What comes in smaller pieces is joined at once: pieces of two bytes take 60 times their size.
_SMALL: Final = 1 << 12
#: What the first frame of each starts with.
STARTS: Final = {head[:4]: kind for kind, head in _HEADS.items()}


class Laid(NamedTuple):
    """A process, and the descriptor of it that is the end of a lane to write to."""

    process: int
    descriptor: int
    inode: int


def pack_wanted() -> bytes:
    """Return the frame of a WANTED."""
    return _HEADS[WANTED]


def pack_laid(laid: Laid) -> bytes:
    """Return the frame of a LAID."""
    return _HEADS[LAID] + _LAID.pack(*laid)


def unpack_laid(frame: bytes) -> Laid:
    """Read the frame of a LAID.

    Raises:
        ProtocolError: it is none.
    """
    if len(frame) < HEAD_BYTES + _LAID.size:
        raise ProtocolError("a LAID that is too short")
    return Laid(*_LAID.unpack_from(frame, HEAD_BYTES))


def pack_taken(took: bool) -> bytes:
    """Return the frame of a TAKEN: whether all that follows comes by the lane, or nothing ever does."""
    return _HEADS[TAKEN] + bytes((took,))


def unpack_taken(frame: bytes) -> bool:
    """Read the frame of a TAKEN.

    Raises:
        ProtocolError: it is none.
    """
    if len(frame) == HEAD_BYTES:
        raise ProtocolError("a TAKEN that is too short")
    return frame[HEAD_BYTES] != 0


def pack_message(frames: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return what a message is in a lane, in parts that follow each other; no frame is copied."""
    if len(frames) == 1:
        return _ONE.pack(1, len(frames[0])), frames[0]
    return struct.pack(f"!B{len(frames)}I", len(frames), *map(len, frames)), *frames


class LaneReader:
    """Makes messages of what comes by a lane, in whatever pieces.

    ``most`` bounds the bytes of one frame, ``most_frames`` their number.
    """

    __slots__ = ("_at", "_data", "_missing", "_most", "_most_frames", "_pieces")

    def __init__(self, most: int, most_frames: int) -> None:
        self._most, self._most_frames = most, most_frames
        self._data, self._at = b"", 0
        #: The beginning of a message of which bytes are missing still: joined once, when all are there.
        self._pieces: list[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> None:
        """Take what came next; not before ``message`` has returned ``None``."""
        if self._pieces:
            if len(self._pieces[-1]) < _SMALL:
                self._pieces[-1] += data
            else:
                self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._pieces)
            self._pieces = []
        self._data, self._at = data, 0

    def message(self) -> list[bytes] | None:
        """Return the next message, or ``None`` where it is not there yet.

        All frames but the first are read-only views: the large ones stay where they are.

        Raises:
            ProtocolError: what comes next is no message, or one that is too large.
        """
        data, at = self._data, self._at
        left = len(data) - at
        if not left:
            self._data, self._at = b"", 0  # what it was may be large
            return None
        if left < _ONE.size:
            return self._lacking(_ONE.size - left)
        count, length = _ONE.unpack_from(data, at)
        if count != 1:
            return self._several(count, left)
        if length > self._most:
            raise ProtocolError(f"a frame of {length:,} bytes in a lane")
        start = at + _ONE.size
        end = start + length
        if end > len(data):
            return self._lacking(end - len(data))
        self._at = end
        return [data[start:end]]

    def _several(self, count: int, left: int) -> list[bytes] | None:
        if not 1 < count <= self._most_frames:
            raise ProtocolError(f"a message of {count} frames in a lane")
        head = 1 + 4 * count
        if left < head:
            return self._lacking(head - left)
        lengths = struct.unpack_from(f"!{count}I", self._data, self._at + 1)
        if max(lengths) > self._most:
            raise ProtocolError(f"a frame of {max(lengths):,} bytes in a lane")
        if left < head + sum(lengths):
            return self._lacking(head + sum(lengths) - left)
        view, start = memoryview(self._data), self._at + head
        frames: list[bytes] = []
        for length in lengths:
            frames.append(cast(bytes, view[start : start + length] if frames else bytes(view[start : start + length])))
            start += length
        self._at = start
        return frames

    def _lacking(self, missing: int) -> list[bytes] | None:
        self._pieces, self._missing = [self._data[self._at :]], missing
        self._data, self._at = b"", 0
        return None
