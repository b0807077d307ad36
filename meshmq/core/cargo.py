"""Cargo: what some jobs carry beside their body (buffers, headers), and how much fits into one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshmq.codecs.base import Buffer
from meshmq.core.runs import Run
from meshmq.wire.headers import EXTRAS_LIMIT, Headers, headers_bytes

#: 2,048 small jobs, which are a run: else each run would go in two unequal batches.
BATCH_BYTES: Final = 128 * 1024
#: Fewer frames than go whole.
BUFFERS_TOGETHER: Final = 16


class Cargo:
    """Buffers and headers of the jobs of one outbox, by number; most jobs have none."""

    def __init__(self) -> None:
        self.buffers: dict[int, tuple[Buffer, ...]] = {}
        self.headers: dict[int, Headers] = {}

    def load(self, number: int, buffers: Sequence[Buffer], headers: Headers | None) -> None:
        """Keep what a job carries."""
        if buffers:
            self.buffers[number] = tuple(buffers)
        if headers:
            self.headers[number] = headers

    def drop(self, run: Run) -> None:
        """Forget what the jobs of a run carried."""
        if self.buffers or self.headers:
            for number in range(run.first, run.last + 1):
                self.buffers.pop(number, None)
                self.headers.pop(number, None)

    def size(self, run: Run) -> int:
        """Return the bytes of a run that credit counts: bodies and buffers."""
        size = run.bodies.size
        if self.buffers:
            for number in range(run.first, run.last + 1):
                size += sum(map(len, self.buffers.get(number, ())))
        return size

    def weight(self, run: Run) -> int:
        """Return the bytes that a run takes here: its headers, too, which no credit is counted in."""
        size = self.size(run)
        if self.headers:
            for number in range(run.first, run.last + 1):
                size += weight(self.headers.get(number, {}))
        return size

    def of(self, run: Run) -> tuple[tuple[Buffer, ...], dict[int, Headers] | None]:
        """Return the buffers of a run, those of one job after those of another, and its headers by index."""
        buffers: tuple[Buffer, ...] = ()
        if self.buffers:
            buffers = tuple(one for number in range(run.first, run.last + 1) for one in self.buffers.get(number, ()))
        if not self.headers:
            return buffers, None
        numbers = enumerate(range(run.first, run.last + 1))
        return buffers, {index: self.headers[number] for index, number in numbers if number in self.headers}

    def fitting(self, run: Run, most: int, piece: int) -> int:
        """Return how many jobs of a run go into one batch, at most ``most``, at least one.

        ``piece`` is how many bytes of large buffers go together.
        """
        if self.buffers:
            most = self._up_to_buffers(run, most, piece)
        if self.headers:
            most = self._up_to_headers(run, most)
        return min(most, run.bodies.fitting(BATCH_BYTES)) if most > 1 else most

    def _up_to_buffers(self, run: Run, most: int, piece: int) -> int:
        """Jobs with one buffer each go together, one with several alone, those without apart; returns where to cut."""
        count = len(self.buffers.get(run.first, ()))
        if count > 1:
            return 1
        size, most = 0, min(most, BUFFERS_TOGETHER) if count else most
        for index in range(most):
            buffers = self.buffers.get(run.first + index, ())
            size += sum(map(len, buffers))
            if len(buffers) != count or size > piece:
                return max(1, index)
        return most

    def _up_to_headers(self, run: Run, most: int) -> int:
        """The headers of one batch are bounded together; returns where to cut."""
        size = 0
        for index in range(most):
            headers = self.headers.get(run.first + index)
            if headers:
                size += headers_bytes(headers)
                if size > EXTRAS_LIMIT:
                    return max(1, index)
        return most


def weight(headers: Headers) -> int:
    """Return the bytes of the texts in headers."""
    return sum(len(key.encode()) + len(value.encode()) for key, value in headers.items())
