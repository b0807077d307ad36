"""Reads the values of a batch, of jobs or of news, with as few calls as it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from meshmq.codecs.base import Buffer, Codec
from meshmq.errors import DecodeError
from meshmq.wire.offsets import Offsets

#: Stands for a value that cannot be decoded.
UNREADABLE: Final = object()


class Bodies(Protocol):
    """What jobs and news have alike: bodies end to end in ``payload``, cut between neighbouring ``offsets``."""

    @property
    def payload(self) -> memoryview:
        """All bodies."""

    @property
    def offsets(self) -> Offsets:
        """Where each begins, and the end of the last."""

    @property
    def longest(self) -> int:
        """The bytes of the longest."""

    @property
    def buffers(self) -> Sequence[Buffer]:
        """What they refer to."""

    def buffers_of(self, start: int, end: int) -> Sequence[Buffer]:
        """Return what those from index ``start`` to before ``end`` refer to."""

    def body(self, index: int) -> memoryview:
        """Return the encoded value at ``index``."""


def read_values(
    codec: Codec, bodies: Bodies, start: int, end: int, refuse: Callable[[int, DecodeError], object]
) -> list[object]:
    """Return the values from index ``start`` to before ``end``; ``UNREADABLE`` where ``refuse`` was told why."""
    if end - start > 1 and not bodies.buffers:
        row = bodies.payload[bodies.offsets[start] : bodies.offsets[end]]
        values = codec.decode_row(row, end - start, bodies.longest)
        if values is not None:
            return values
    return [_read_one(codec, bodies, index, refuse) for index in range(start, end)]


def _read_one(codec: Codec, bodies: Bodies, index: int, refuse: Callable[[int, DecodeError], object]) -> object:
    try:
        return codec.decode(bodies.body(index), bodies.buffers_of(index, index + 1))
    except DecodeError as error:
        refuse(index, error)
        return UNREADABLE
