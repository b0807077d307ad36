"""A row: bodies that stand end to end, and their lengths, as a batch carries them.

Made once, when jobs are pushed: a list of bodies would be walked again at each turn of its life, by then out of the
processor's caches.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

_LENGTH_BYTES = 4


class Row:
    """Some bodies, in order. What is cut out of a row shares its memory, where it is at least half of that."""

    __slots__ = ("_bodies", "_count", "_lengths", "size")

    def __init__(self, count: int, lengths: bytes, bodies: bytes | memoryview) -> None:
        self._count = count
        #: What was taken in stays in parts until it is looked at: most rows are sent as they are.
        self._lengths, self._bodies = [lengths], [bodies]
        #: The bytes of all bodies.
        self.size = len(bodies)

    @classmethod
    def of(cls, bodies: Sequence[bytes]) -> Row:
        """Return a row of bodies."""
        count = len(bodies)
        return cls(count, struct.pack(f"!{count}I", *map(len, bodies)), b"".join(bodies))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        lengths, bodies = self._whole()
        end = 0
        for (length,) in struct.iter_unpack("!I", lengths):
            start, end = end, end + length
            yield bytes(bodies[start:end])

    @property
    def parts(self) -> list[bytes | memoryview]:
        """All lengths and then all bodies, as a batch carries them."""
        return [*self._lengths, *self._bodies]

    def extend(self, other: Row) -> None:
        """Take in the bodies of another row, behind those that are here."""
        self._count += other._count
        self._lengths += other._lengths
        self._bodies += other._bodies
        self.size += other.size

    def cut(self, start: int, end: int) -> Row:
        """Return those from index ``start`` to before ``end``."""
        lengths, bodies = self._whole()
        view = memoryview(bodies)[self._offset(start) : self._offset(end)]
        # What goes its own way, one at a time, must not keep all others in memory.
        part = view if 2 * len(view) >= len(view.obj) else bytes(view)  # type: ignore[arg-type]  # bytes, always
        return Row(end - start, lengths[start * _LENGTH_BYTES : end * _LENGTH_BYTES], part)

    def fitting(self, size: int) -> int:
        """Return how many of the first have at most so many bytes together, at least one."""
        if self.size <= size:
            return self._count
        lengths, _ = self._whole()
        # Of 2,048 of 4 KiB few fit: to look at all of them for each batch took 20 times as long.
        for looked in (min(self._count, 2 * self._count * size // self.size + 1), self._count):
            ends = [*accumulate(struct.unpack_from(f"!{looked}I", lengths))]
            if ends[-1] > size:
                break
        return max(1, bisect_right(ends, size))

    def _whole(self) -> tuple[bytes, bytes | memoryview]:
        if len(self._lengths) > 1:
            self._lengths, self._bodies = [b"".join(self._lengths)], [b"".join(self._bodies)]
        return self._lengths[0], self._bodies[0]

    def _offset(self, index: int) -> int:
        """Return where a body begins; sums up what lies on the shorter side."""
        lengths, rest = self._lengths[0], self._count - index
        if index <= rest:
            before: int = sum(struct.unpack_from(f"!{index}I", lengths))
            return before
        after: int = sum(struct.unpack_from(f"!{rest}I", lengths, index * _LENGTH_BYTES))
        return self.size - after
