"""Errands: what one peer is to be sent over the direct link: what it fetches, and the latest of its topics."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meshmq.core.feed.kept import Item
from meshmq.core.feed.series import Series
from meshmq.errors import ProtocolError
from meshmq.wire.frames import Kind
from meshmq.wire.headers import headers_bytes
from meshmq.wire.news import pack_direct, pack_news
from meshmq.wire.subscribing import Fetch, pack_fetched

BATCH_MESSAGES: Final = 512
BATCH_BYTES: Final = 64 * 1024
#: What is in one batch counts as published in one moment.
BATCH_SPAN: Final = 0.005
#: The most numbers that one fetch looks at: where little is kept of many, the peer asks again.
LOOKED_AT: Final = 10_000
_EXTRAS_BYTES: Final = 128 * 1024
#: Subscriptions fetch so many topics at a time, of which a peer has many at most.
FETCHES_MOST: Final = 100_000
#: So many bytes wait for one peer as the latest of all topics; beyond that it gets the next of a topic.
LATEST_BYTES: Final = 64 * 1024 * 1024


@dataclass(slots=True)
class _Errand:
    fetch: Fetch
    series: Series
    next: int
    last: int
    messages: int
    size: int
    begun: bool = False


class Errands:
    """What is due to one peer; a fetch and the latest take turns."""

    def __init__(self, publisher: bytes) -> None:
        self._publisher = publisher
        self._fetches: OrderedDict[tuple[int, str], _Errand] = OrderedDict()
        self._latest: OrderedDict[tuple[int, Series], Item] = OrderedDict()
        self._turn = False
        self._latest_bytes = 0
        #: How many were passed over though they were the newest, for too much waited.
        self.dropped = 0
        #: Series, number and size of the large value that was handed over last: it may still be under way.
        self.lent: tuple[Series, int, int] | None = None

    def __bool__(self) -> bool:
        return bool(self._fetches or self._latest)

    def fetch(self, fetch: Fetch, series: Series) -> None:
        """Send what is kept; one fetch of a topic and subscription replaces the one before.

        Raises:
            ProtocolError: it is one too many.
        """
        if len(self._fetches) >= FETCHES_MOST and (fetch.number, fetch.topic) not in self._fetches:
            raise ProtocolError(f"more than {FETCHES_MOST:,} fetches at a time")
        first = max(fetch.first, min(series.oldest or fetch.last, fetch.last))
        last = min(fetch.last, first + LOOKED_AT - 1)
        self._fetches[fetch.number, fetch.topic] = _Errand(fetch, series, first, last, fetch.messages, fetch.size)

    def latest(self, number: int, series: Series, item: Item) -> None:
        """Send the newest of a topic to a subscription; what waited before it is passed over."""
        before = self._latest.get((number, series))
        self._latest[number, series] = item
        self._latest_bytes += item.size - (before.size if before is not None else 0)
        while self._latest_bytes > LATEST_BYTES and len(self._latest) > 1:
            self._next_latest()
            self.dropped += 1

    def _next_latest(self) -> tuple[int, Series, Item]:
        (number, series), item = self._latest.popitem(last=False)
        self._latest_bytes -= item.size
        return number, series, item

    def forget(self, number: int) -> None:
        """Drop what is due to a subscription that has ended."""
        for fetch in [key for key in self._fetches if key[0] == number]:
            del self._fetches[fetch]
        for slot in [key for key in self._latest if key[0] == number]:
            self._latest_bytes -= self._latest.pop(slot).size

    def next(self, now: float) -> tuple[Kind, Sequence[bytes]] | None:
        """Return the next frame, or nothing when nothing is due."""
        self._turn = not self._turn
        if self._latest and (self._turn or not self._fetches):
            number, series, item = self._next_latest()
            return self._news(number, series, [item], now)
        if not self._fetches:
            return None
        key, errand = next(iter(self._fetches.items()))
        self._fetches.move_to_end(key)
        items = self._take(errand, now)
        if items:
            return self._news(key[0], errand.series, items, now)
        del self._fetches[key]
        return Kind.FETCHED, [pack_fetched(key[0], errand.series.topic, errand.series.epoch, errand.next - 1)]

    def _take(self, errand: _Errand, now: float) -> list[Item]:
        errand.series.trim(now)
        items, size, extras = list[Item](), 0, 0
        if errand.messages <= 0 or errand.size <= 0:
            return items
        for item in errand.series.kept.items(errand.next):
            if item.seq > errand.last or (items and item.seq > errand.next):
                break  # a batch holds numbers without a hole
            errand.next = item.seq
            if errand.begun and item.size > errand.size:
                errand.messages = 0  # the peer has no room for it: it asks anew
                break
            size += item.size
            extras += headers_bytes(item.headers) if item.headers else 0
            if items and (
                size > BATCH_BYTES
                or extras > _EXTRAS_BYTES
                or item.buffers
                or items[0].buffers
                or item.at - items[0].at > max(BATCH_SPAN, (now - item.at) / 100)  # so wrong may an age be
                or len(items) == BATCH_MESSAGES
            ):
                break
            items.append(item)
            errand.next += 1
            errand.begun = True
            errand.messages -= 1
            errand.size -= item.size
            if errand.messages <= 0 or errand.size <= 0:
                break
        if not items and errand.messages > 0:
            errand.next = errand.last + 1  # nothing of it is there
        return items

    def _news(self, number: int, series: Series, items: Sequence[Item], now: float) -> tuple[Kind, Sequence[bytes]]:
        first = items[0]
        if first.size > BATCH_BYTES:
            self.lent = series, first.seq, first.size
        frames = pack_news(
            series.topic,
            self._publisher,
            series.epoch,
            first.seq,
            [item.body for item in items],
            kept=True,
            held=max(0.0, now - first.at),
            headers={index: item.headers for index, item in enumerate(items) if item.headers},
            buffers=first.buffers,
            apart=len(items) == 1 and len(first.body) > BATCH_BYTES,
        )
        return Kind.NEWS, [pack_direct(number) + frames[0], *frames[1:]]
