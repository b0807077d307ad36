"""Placements: a device tells pushers which worker has their jobs, so that its own death repeats none of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from meshmq.core.relay.flights import Worker
from meshmq.core.runs import merged
from meshmq.wire.fields import RANGES_LIMIT
from meshmq.wire.frames import Kind, pack_receipt

#: Seconds after which a pusher is told who has its jobs: most are acked before, and need no receipt.
RECEIPT_AFTER: Final = 0.01


class Placements:
    """The receipts of one queue."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        #: When the next ones are due.
        self.deadline: float | None = None

    def sent_on(self, now: float) -> None:
        """Note that a worker was given jobs."""
        if self.deadline is None:
            self.deadline = now + RECEIPT_AFTER

    def due(self, workers: Iterable[Worker], now: float) -> Iterator[tuple[bytes, Kind, bytes]]:
        """Yield the receipts that are due, as frames to pushers."""
        if self.deadline is None or now < self.deadline:
            return
        placed: dict[tuple[bytes, bytes, bytes], list[tuple[int, int]]] = {}
        untold: list[float] = []
        for worker in workers:
            for origin, flight in worker.receipts(now - RECEIPT_AFTER):
                if not flight.pusher.gone:
                    spans = placed.setdefault((flight.pusher.peer, worker.peer, origin), [])
                    spans.append((flight.first, flight.end - 1))
            untold += worker.untold()
        self.deadline = min(untold) + RECEIPT_AFTER if untold else None
        for (pusher, worker_id, origin), spans in placed.items():
            ranges = merged(spans)
            for start in range(0, len(ranges), RANGES_LIMIT):
                part = ranges[start : start + RANGES_LIMIT]
                yield pusher, Kind.RECEIPT, pack_receipt(self._queue, worker_id, origin, part)
