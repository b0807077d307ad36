"""Leases: until when the consumers of one queue are to be done with what they have begun, unless they extend.

A job that its consumer holds, to confirm it by word later, it is not done with. What is in custody because outputs of
it are not safe is out of its hands: that has no lease.
"""

from __future__ import annotations

from collections.abc import Hashable

from meshmq.core.hands import Hand


class Leases:
    """Hands of one job each, whose consumer loses it when its lease runs out."""

    def __init__(self) -> None:
        #: How long a lease is, and when it ends.
        self._ends: dict[Hand, tuple[float, float]] = {}

    @property
    def deadline(self) -> float | None:
        """When the next one ends."""
        return min(end for _, end in self._ends.values()) if self._ends else None

    def begin(self, hand: Hand, lease: float, now: float) -> None:
        """Lend a job."""
        self._ends[hand] = (lease, now + lease)

    def extend(self, hand: Hand, now: float) -> None:
        """Renew a lease, if it has not ended."""
        if hand in self._ends:
            self.begin(hand, self._ends[hand][0], now)

    def end(self, hand: Hand) -> None:
        """Note that a hand is finished, or left."""
        self._ends.pop(hand, None)

    def leave(self, consumer: Hashable) -> None:
        """Note that a consumer has left."""
        for hand in [hand for hand in self._ends if hand.consumer == consumer]:
            del self._ends[hand]

    def over(self, now: float) -> list[Hand]:
        """Take out the hands whose lease has run out."""
        over = [hand for hand, (_, end) in self._ends.items() if end <= now]
        for hand in over:
            del self._ends[hand]
        return over
