"""Large messages on their way out, cut into chunks as they go: nothing of them is copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from meshmq.codecs.base import Buffer
from meshmq.wire.chunks import message_pieces, pack_chunk
from meshmq.wire.frames import Kind


class Transfer:
    """One large message, and how far it is."""

    __slots__ = ("_abandoned", "_left", "_number", "_offset", "_pieces", "lane", "name", "total")

    def __init__(self, number: int, kind: Kind, frames: Sequence[bytes], lane: str, name: str | bytes) -> None:
        self._number, self._offset = number, 0
        self._pieces: Iterator[memoryview] = iter([memoryview(piece) for piece in message_pieces(kind, frames)])
        self._left: memoryview = memoryview(b"")
        self.total = 1 + sum(4 + len(frame) for frame in frames)
        #: What it takes a place of, and what has to wait for it to keep its order.
        self.lane, self.name = lane, name
        self._abandoned = False

    @property
    def done(self) -> bool:
        """Whether the last chunk has left."""
        return self._offset == self.total

    @property
    def share(self) -> float:
        """The part of it that has left, of 1."""
        return self._offset / self.total

    def abandon(self) -> None:
        """Let go of what has not left; the next chunk, the last, says so."""
        self._pieces, self._left = iter(()), memoryview(b"")
        self._abandoned = True

    def next_chunk(self, most: int) -> list[bytes]:
        """Return the body of the next CHUNK, with at most so many bytes of the message, in parts to be joined."""
        if self._abandoned:
            self._offset = self.total
            return [pack_chunk(self._number, 0, 0)]
        parts: list[Buffer] = [pack_chunk(self._number, self._offset, self.total)]
        room = min(most, self.total - self._offset)
        self._offset += room
        while room:
            if not self._left:
                self._left = next(self._pieces)
                continue
            part, self._left = self._left[:room], self._left[room:]
            parts.append(part)
            room -= len(part)
        return cast("list[bytes]", parts)  # to be joined, whatever they are
