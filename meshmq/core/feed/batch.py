"""An open batch of a publisher: consecutive messages of one topic that leave in one frame."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from meshmq.core.feed.series import Series
from meshmq.wire.headers import Headers, headers_bytes
from meshmq.wire.news import pack_news

BATCH_MESSAGES: Final = 512
BATCH_BYTES: Final = 32 * 1024
_EXTRAS_BYTES: Final = 128 * 1024


class Batch:
    """Messages of one series, from number ``first`` on."""

    __slots__ = ("_extras", "_headers", "_size", "bodies", "first", "series", "since")

    def __init__(self, series: Series, first: int, now: float) -> None:
        self.series, self.first, self.since = series, first, now
        self.bodies: list[bytes] = []
        self._headers: dict[int, Headers] = {}
        self._size = self._extras = 0

    def fill(self, bodies: Sequence[bytes], start: int, headers: Headers | None) -> int:
        """Take the messages from ``start`` on, as many as it has room for, and at least one; returns where it stopped.

        ``headers`` are those of the first.
        """
        if headers:
            self._headers[len(self.bodies)] = headers
            self._extras += headers_bytes(headers)
        room = BATCH_MESSAGES - len(self.bodies)
        sizes = list(accumulate(map(len, bodies[start : start + room]), initial=self._size))
        count = min(len(sizes) - 1, max(1, bisect_left(sizes, BATCH_BYTES)))
        self._size = sizes[count]
        self.bodies += bodies[start : start + count]
        return start + count

    @property
    def full(self) -> bool:
        """Whether it has to leave before another message is taken."""
        return self._size >= BATCH_BYTES or len(self.bodies) >= BATCH_MESSAGES or self._extras > _EXTRAS_BYTES

    def frames(self, publisher: bytes, turn: int, now: float) -> Sequence[bytes]:
        """Return it as it goes on the topics link."""
        series = self.series
        return pack_news(
            series.topic,
            publisher,
            series.epoch,
            self.first,
            self.bodies,
            turn=turn,
            kept=bool(series.kept) and series.oldest <= self.first,
            held=max(0.0, now - self.since),
            headers=self._headers,
        )
