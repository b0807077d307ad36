"""Large messages in chunks, so that small frames never wait long behind them.

::

    CHUNK body = transfer u64 · offset u64 · total u64 · bytes
    message    = kind u8 · frames,  frame = length u32 · bytes

``total`` is the length of the message, which is cut into chunks of at most ``CHUNK_MOST``. One of no bytes, with
``offset`` and ``total`` 0, says that the rest does not come.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from meshmq.codecs.base import Buffer
from meshmq.errors import ProtocolError
from meshmq.wire.frames import KINDS, NUMBERED, Kind

#: A message of no more goes whole; of a larger one so much at a time, or more where the line is fast.
CHUNK_BYTES: Final = 256 * 1024
#: The most bytes of one chunk.
CHUNK_MOST: Final = 4 * 1024 * 1024
#: Only large buffers have frames of their own: more than this and one for every ``FRAME_BYTES`` is no message.
FRAMES_FREE: Final = 16
FRAME_BYTES: Final = 4096

_CHUNK: Final = struct.Struct("!QQQ")
_LENGTH: Final = struct.Struct("!I")


class _Pieces:
    """One run of bytes that came in pieces."""

    def __init__(self, pieces: Sequence[Buffer | bytearray]) -> None:
        self._pieces = iter(pieces)
        self._current = memoryview(b"")
        self.left = sum(map(len, pieces))

    def take(self, size: int) -> bytes:
        """Return the next bytes, of which there are so many."""
        self.left -= size
        parts: list[memoryview] = []
        while size:
            if not self._current:
                self._current = memoryview(next(self._pieces))
                continue
            part, self._current = self._current[:size], self._current[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def pack_chunk(transfer: int, offset: int, total: int) -> bytes:
    """Return what stands before the bytes of one chunk."""
    return _CHUNK.pack(transfer, offset, total)


def unpack_chunk(body: memoryview) -> tuple[int, int, int, memoryview]:
    """Return ``(transfer, offset, total, bytes)`` of a CHUNK.

    Raises:
        ProtocolError: it is none.
    """
    if len(body) < _CHUNK.size:
        raise ProtocolError("a CHUNK cut short")
    transfer, offset, total = _CHUNK.unpack_from(body)
    data = body[_CHUNK.size :]
    if not data and total:
        raise ProtocolError("a CHUNK without bytes")
    if len(data) > CHUNK_MOST or offset + len(data) > total:
        raise ProtocolError("a CHUNK that is too long, or beyond its own end")
    return transfer, offset, total, data


def message_pieces(kind: Kind, frames: Sequence[Buffer]) -> list[Buffer]:
    """Return a whole message as pieces of one run of bytes, to be cut into chunks; none of them is copied."""
    pieces: list[Buffer] = [bytes((kind,))]
    for frame in frames:
        pieces += (_LENGTH.pack(len(frame)), frame)
    return pieces


def join_message(kind: Kind, frames: Sequence[Buffer]) -> bytes:
    """Return a whole message as one run of bytes."""
    return b"".join(message_pieces(kind, frames))


def split_message(*pieces: Buffer | bytearray) -> tuple[Kind, list[bytes]]:
    """Undo ``join_message``, which came in pieces; every frame is copied once.

    Raises:
        ProtocolError: the bytes are none.
    """
    rest = _Pieces(pieces)
    kind = KINDS.get(rest.take(1)[0]) if rest.left else None
    if kind is None or kind not in NUMBERED or kind is Kind.CHUNK:
        raise ProtocolError("a chunked message of a kind that is none")
    most = FRAMES_FREE + (1 + rest.left) // FRAME_BYTES
    frames: list[bytes] = []
    while rest.left:
        if len(frames) == most or rest.left < _LENGTH.size:
            raise ProtocolError("a chunked message of too many frames, or cut short")
        (size,) = _LENGTH.unpack(rest.take(_LENGTH.size))
        if rest.left < size:
            raise ProtocolError("a chunked message that is cut short")
        frames.append(rest.take(size))
    if not frames:
        raise ProtocolError("a chunked message without frames")
    return kind, frames
