"""What is known of the nodes, and what of it is alarming; it has no clock and no node, so that it can be tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

#: Above these a figure is alarming.
BOUNDS: Final = {"load": 400.0, "memory": 95.0, "disk": 98.0, "process": 100.0}
UNITS: Final = {"load": "%", "memory": "%", "disk": "%", "process": "MiB"}
#: A node is silent when so many of its figures are due, and so many seconds are over.
MISSED, SILENT = 5, 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm is raised, or is over: whose, and over what."""

    raised: bool
    node: str
    what: str
    words: str

    def __str__(self) -> str:
        return f"{'ALARM' if self.raised else 'clear'}  {self.node}: {self.words}"


@dataclass(slots=True)
class Row:
    """What a node said last, when that was measured, and after how many seconds the next is due."""

    figures: Mapping[str, float]
    at: float
    every: float


class Board:
    """The last figures of each node. ``now`` is the same clock in every call; each returns what changes by it."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        #: Each (node, what) is raised once, and over once.
        self.alarms: set[tuple[str, str]] = set()

    def hear(self, node: str, figures: Mapping[str, float], every: float, at: float) -> Iterator[Change]:
        """Take figures that were measured at a moment."""
        self.rows[node] = Row(figures, at, every)
        for what in ("silent", "died"):
            yield from self._set(node, what, False, "speaks again")
        for what in BOUNDS.keys() & figures.keys():
            value, bound, unit = figures[what], BOUNDS[what], UNITS[what]
            words = f"{what} {value:.0f} {unit}"
            beyond = value > bound
            yield from self._set(node, what, beyond, f"{words}, more than {bound:.0f} {unit}" if beyond else words)

    def lose(self, node: str) -> Iterator[Change]:
        """Learn that a node is gone, and has not said goodbye."""
        if node in self.rows and (node, "died") not in self.alarms:
            self._forget(node)
            yield from self._set(node, "died", True, "died")

    def part(self, node: str) -> None:
        """Learn that a node has left, and said so."""
        self._forget(node)
        self.rows.pop(node, None)

    def check(self, now: float) -> Iterator[Change]:
        """Look for nodes that have fallen silent."""
        for node, row in self.rows.items():
            silent = now - row.at
            if (node, "died") not in self.alarms and silent > max(SILENT, MISSED * row.every):
                yield from self._set(node, "silent", True, f"silent for {silent:.1f} s")

    def _set(self, node: str, what: str, raised: bool, words: str) -> Iterator[Change]:
        if raised != ((node, what) in self.alarms):
            (self.alarms.add if raised else self.alarms.discard)((node, what))
            yield Change(raised, node, what, words)

    def _forget(self, node: str) -> None:
        self.alarms = {(whose, what) for whose, what in self.alarms if whose != node}
