"""Who asks for jobs of one queue: consumers, and for a while those who only look or have stopped."""

from __future__ import annotations

from collections.abc import Hashable


class Askers:
    """Consumers that ask, each for good or until a moment."""

    def __init__(self) -> None:
        self._until: dict[Hashable, float | None] = {}

    def __len__(self) -> int:
        return len(self._until)

    def ask(self, consumer: Hashable, until: float | None = None) -> bool:
        """Note that a consumer asks; whether it did not before."""
        new = consumer not in self._until
        self._until[consumer] = until
        return new

    def rest(self, consumer: Hashable, until: float) -> None:
        """Note that a consumer, if it asks, asks until then."""
        if consumer in self._until:
            self._until[consumer] = until

    def leave(self, consumer: Hashable) -> bool:
        """Note that a consumer does not ask any more; whether it did."""
        asked = consumer in self._until
        self._until.pop(consumer, None)
        return asked

    def due(self, now: float) -> list[Hashable]:
        """Return whose time is over."""
        return [consumer for consumer, until in self._until.items() if until is not None and until <= now]

    @property
    def deadline(self) -> float | None:
        """The moment at which the next one's time is over."""
        return min((until for until in self._until.values() if until is not None), default=None)
