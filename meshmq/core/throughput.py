"""Throughput: what a connection carries, told from what its peer covers, and what may be handed to it at a time.

At first, and on a slow line always, that is ``WINDOW``. Where more is carried within ``SPAN`` it is so much, at most
``WINDOW_MOST``; and a message that is carried within ``WHOLE_SPAN`` goes whole. So a fast line is kept busy though
its covers come late, and what is small waits no longer than these spans for what was handed over before.
"""

from __future__ import annotations

from typing import Final

from meshmq.wire.chunks import CHUNK_BYTES, CHUNK_MOST

WINDOW: Final = 256 * 1024
WINDOW_MOST: Final = 16 * 1024 * 1024
SPAN: Final = 0.01
WHOLE_SPAN: Final = 0.03
#: Covers come in bursts: for so long, at least, is measured.
MEASURED: Final = 0.001
#: A cover of less at a time tells of the round trip, not of the line.
TELLING_BYTES: Final = 64 * 1024
#: A measurement is believed step by step.
GROWTH: Final = 4.0
FALL: Final = 0.5


class Throughput:
    """Bytes in a second on one connection; 0 until they are known."""

    __slots__ = ("_bytes", "_last", "_seconds", "chunk", "rate", "window")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._bytes = 0
        self._last = float("-inf")
        self._believe(0.0)

    def _believe(self, rate: float) -> None:
        self.rate = rate
        #: How many bytes may be under way, and how many of a large message go at a time.
        self.window = min(WINDOW_MOST, max(WINDOW, int(rate * SPAN)))
        self.chunk = min(CHUNK_MOST, max(CHUNK_BYTES, int(rate * SPAN / 4)))

    def takes_whole(self, size: int) -> bool:
        """Whether a message need not go in chunks."""
        return size <= self.rate * WHOLE_SPAN

    def covered(self, size: int, since: float, now: float, *, busy: bool) -> None:
        """Learn that so many bytes have arrived, which left from ``since`` on; ``busy`` while more are under way."""
        took = now - max(since, self._last)
        self._last = now
        self._bytes += size
        self._seconds += took
        if self._seconds < MEASURED:
            return
        rate = self._bytes / self._seconds
        if rate > self.rate:
            self._believe(min(rate, GROWTH * max(self.rate, WINDOW / SPAN)))
        elif busy or (took > SPAN and size >= TELLING_BYTES):  # else there was no more to carry
            self._believe(max(rate, FALL * self.rate))
        self._bytes, self._seconds = 0, 0.0
