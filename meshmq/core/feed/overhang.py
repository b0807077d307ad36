"""What large messages on their way hold that nothing else keeps any more, bounded in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from meshmq.core.feed.errands import Errands
from meshmq.core.feed.series import Series
from meshmq.core.part import Ground

#: Slow subscribers, each with another value of its own under way, would hold as many values as they are.
OVERHANG_BYTES: Final = 16 * 1024 * 1024


@dataclass(slots=True)
class _Value:
    size: int
    share: float = 0.0
    peers: list[bytes] = field(default_factory=list)


class Overhang:
    """Values under way to peers and kept for nobody else; who is furthest goes on, who gets no further is given up."""

    def __init__(self, ground: Ground, errands: dict[bytes, Errands]) -> None:
        self._ground, self._errands = ground, errands
        self.most = OVERHANG_BYTES
        #: How many transfers were given up.
        self.recalled = 0

    def bound(self) -> None:
        """Give up transfers as long as they hold too much; one value may always go on, and the newest of a topic."""
        values = sorted(self._held(), key=lambda value: value.share)
        size = sum(value.size for value in values)
        for value in values[:-1]:
            if size <= self.most or value.share == 1.0:  # what has left whole cannot be recalled
                return
            size -= value.size
            self.recalled += len(value.peers)
            for peer in value.peers:
                self._ground.recall(peer)
                self._errands[peer].lent = None

    def spare(self) -> int:
        """Return how many bytes may be lent that cannot be recalled."""
        return max(0, self.most - sum(value.size for value in self._held()))

    def _held(self) -> list[_Value]:
        values: dict[tuple[Series, int], _Value] = {}
        for peer, errands in self._errands.items():
            if errands.lent is None:
                continue
            series, seq, size = errands.lent
            share = self._ground.lends(peer)
            if share is None:
                errands.lent = None
            elif seq not in series.kept and seq != series.head:
                value = values.setdefault((series, seq), _Value(size))
                value.share = max(value.share, share)
                value.peers.append(peer)
        return list(values.values())
