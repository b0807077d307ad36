"""What a publisher keeps of one topic: by number, in rows of what it took in together.

A row of hundreds costs little more than one message, so a young node, which keeps everything, publishes as fast as any.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import Final

from meshmq.codecs.base import Buffer
from meshmq.wire.headers import Headers

#: What a row takes beside its values, and each further message of it: bodies of 50 bytes would otherwise make
#: 64 MiB of them far more.
OVERHEAD: Final = 256
_EACH: Final = 48
_FIRST: Final = attrgetter("first")


@dataclass(slots=True)
class Item:
    """One published message; ``at`` is when."""

    seq: int
    body: bytes
    buffers: Sequence[Buffer]
    headers: Headers | None
    at: float
    size: int


@dataclass(slots=True, eq=False)
class Row:
    """Messages from number ``first`` on, taken in at one moment; one alone may have buffers, the first headers."""

    first: int
    bodies: Sequence[bytes]
    buffers: Sequence[Buffer]
    headers: Headers | None
    at: float
    size: int

    @property
    def end(self) -> int:
        """The number after its last."""
        return self.first + len(self.bodies)

    @property
    def cost(self) -> int:
        """About the bytes of memory that it takes."""
        return self.size + OVERHEAD + (len(self.bodies) - 1) * _EACH

    def item(self, seq: int) -> Item:
        """Return one message of it."""
        index = seq - self.first
        size = self.size if len(self.bodies) == 1 else len(self.bodies[index])
        return Item(seq, self.bodies[index], self.buffers, None if index else self.headers, self.at, size)

    def cut(self, count: int) -> int:
        """Drop the first messages, and not the last; returns their bytes."""
        size = sum(map(len, self.bodies[:count]))
        self.bodies = self.bodies[count:]  # the list may be in other hands: it is on its way into a batch
        self.first += count
        self.headers = None
        self.size -= size
        return size


#: In the place of a row that was dropped.
_NONE: Final = Row(0, [], (), None, 0.0, 0)


class Kept:
    """Rows with rising numbers, the lowest first; there may be holes between them."""

    __slots__ = ("_count", "_gone", "_rows", "size")

    def __init__(self) -> None:
        self._rows: list[Row] = []
        #: So many rows at the front of the list are dropped already: to shorten it each time would take long.
        self._gone = 0
        self._count = 0
        #: The bytes of all values.
        self.size = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return (seq for row in self.rows() for seq in range(row.first, row.end))

    def __contains__(self, seq: int) -> bool:
        return self._row(seq) is not None

    @property
    def oldest(self) -> int:
        """The lowest number, 0 where there is none."""
        return self._rows[self._gone].first if self._count else 0

    def rows(self) -> Iterator[Row]:
        """Yield all rows."""
        return (self._rows[place] for place in range(self._gone, len(self._rows)))

    def items(self, first: int = 0) -> Iterator[Item]:
        """Yield the messages from a number on."""
        for place in range(max(self._gone, self._place(first)), len(self._rows)):
            row = self._rows[place]
            for seq in range(max(first, row.first), row.end):
                yield row.item(seq)

    def get(self, seq: int) -> Item | None:
        """Return the message of a number, if it is kept."""
        row = self._row(seq)
        return None if row is None else row.item(seq)

    def put(self, row: Row) -> None:
        """Keep a row with higher numbers than all that are here."""
        self._rows.append(row)
        self._count += len(row.bodies)
        self.size += row.size

    def drop(self, count: int) -> None:
        """Drop so many messages, those with the lowest numbers."""
        while count > 0 and self._count:
            row = self._rows[self._gone]
            if len(row.bodies) <= count:
                count -= len(row.bodies)
                self._drop_row(self._gone)
            else:
                self.size -= row.cut(count)
                self._count -= count
                return

    def shrink(self, size: int) -> None:
        """Drop those with the lowest numbers until the rest have so many bytes at most, or only one is left."""
        while self.size > size and self._count > 1:
            bodies = self._rows[self._gone].bodies
            lengths = enumerate(accumulate(map(len, bodies)), 1)
            count = next((count for count, length in lengths if self.size - length <= size), len(bodies))
            self.drop(min(count, self._count - 1))

    def age(self, now: float, seconds: float) -> None:
        """Drop what is older than so many seconds."""
        while self._count and now - self._rows[self._gone].at > seconds:
            self._drop_row(self._gone)

    def remove(self, row: Row) -> None:
        """Drop a row, if it is here."""
        place = self._place(row.first)
        if self._gone <= place < len(self._rows) and self._rows[place] is row:
            self._drop_row(place)

    def _drop_row(self, place: int) -> None:
        row = self._rows[place]
        self._count -= len(row.bodies)
        self.size -= row.size
        if place > self._gone:
            del self._rows[place]
            return
        self._rows[place] = _NONE
        self._gone += 1
        if self._gone * 2 > len(self._rows):
            del self._rows[: self._gone]
            self._gone = 0

    def _place(self, seq: int) -> int:
        """Return where the row is that has a number, or would have it; -1 where that is before all."""
        return bisect_right(self._rows, seq, self._gone, key=_FIRST) - 1

    def _row(self, seq: int) -> Row | None:
        place = self._place(seq)
        row = self._rows[place] if place >= self._gone else None
        return row if row is not None and seq < row.end else None
