"""Flights: what a device remembers of the jobs it sent on, as long as nobody has settled them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from meshmq.core.routes import Route
from meshmq.core.runs import merged
from meshmq.core.sources import Source
from meshmq.wire.fields import Ranges


@dataclass(frozen=True, slots=True)
class Flight:
    """Jobs ``first`` to ``end`` (without it) of one origin: whose they are, and whether they were handled.

    ``since`` is when they were sent on, ``None`` once their pusher knows who has them.
    """

    pusher: Source
    first: int
    end: int
    held: bool = False
    since: float | None = None

    def __len__(self) -> int:
        return self.end - self.first


@dataclass(slots=True)
class Worker(Route):
    """One worker, as a device sees it: absolute limits granted, and what is with it, by origin."""

    flying: dict[bytes, list[Flight]] = field(default_factory=dict)
    #: The number begun last, by origin.
    started: dict[bytes, int] = field(default_factory=dict)
    #: Origins of which a job may be with the worker twice: one word on it is for both.
    twice: set[bytes] = field(default_factory=set)

    def take_off(self, origin: bytes, flight: Flight, size: int, *, alone: bool, again: bool) -> None:
        """Note that jobs are sent, maybe ``again``."""
        if again and origin in self.flying:
            self.twice.add(origin)
        self.flying.setdefault(origin, []).append(flight)
        self.in_flight += len(flight)
        self.jobs_sent += len(flight)
        self.bytes_sent += size
        if alone:
            self.lone = flight.first

    def come_down(self, origin: bytes, ranges: Ranges) -> list[Flight]:
        """Take numbers out of what is with the worker."""
        flights, spans = self.flying.get(origin), merged(ranges)
        if not flights:
            return []
        missing = sum(last - first + 1 for first, last in spans)
        lasts = [last for _, last in spans]
        kept: list[Flight] = []
        landed: list[Flight] = []
        looked = 0
        for flight in flights:  # mostly what is meant stands in front
            if missing <= 0 and origin not in self.twice:
                break
            looked += 1
            place = flight.first
            for first, last in _from(spans, bisect_left(lasts, flight.first)):
                if first >= flight.end:
                    break
                start, end = max(first, place), min(last + 1, flight.end)
                if start > place:
                    kept.append(replace(flight, first=place, end=start))
                landed.append(replace(flight, first=start, end=end))
                missing -= end - start
                place = end
            if place < flight.end:
                kept.append(replace(flight, first=place))
        flights[:looked] = kept
        if not flights:
            del self.flying[origin]
            self.started.pop(origin, None)
            self.twice.discard(origin)
        self._count_out(landed)
        return landed

    def handled(self, origin: bytes, ranges: Ranges) -> list[Flight]:
        """Note that jobs were handled, and are not settled yet; returns which."""
        held = [replace(flight, held=True) for flight in self.come_down(origin, ranges) if not flight.held]
        if held:
            self.flying.setdefault(origin, []).extend(held)
        return held

    def receipts(self, before: float) -> Iterator[tuple[bytes, Flight]]:
        """Yield what was sent on before a moment, by origin, and note that its pusher is told who has it."""
        for origin, flights in self.flying.items():
            for index, flight in enumerate(flights):
                if flight.since is not None and flight.since <= before:
                    flights[index] = replace(flight, since=None)
                    yield origin, flight

    def untold(self) -> Iterator[float]:
        """Yield when those were sent on whose pushers are not told yet."""
        for flights in self.flying.values():
            yield from (flight.since for flight in flights if flight.since is not None)

    def _count_out(self, landed: list[Flight]) -> None:
        self.in_flight -= sum(len(flight) for flight in landed if not flight.held)
        if not self.in_flight:
            self.lone = -1


def _from(spans: Ranges, place: int) -> Iterator[tuple[int, int]]:
    return iter(spans[place:])
