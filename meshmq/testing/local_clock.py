"""The monotonic clock of one simulated machine."""

from __future__ import annotations


class LocalClock:
    """Shows any moment at first, runs a little fast or slow, and may jump forward; it never goes back."""

    __slots__ = ("_began", "_shows", "rate")

    def __init__(self, moment: float, shows: float, rate: float = 1.0) -> None:
        self._began, self._shows, self.rate = moment, shows, rate

    def __repr__(self) -> str:
        return f"<LocalClock at {self.rate:.4f} of the speed>"

    def at(self, moment: float) -> float:
        """Return what it shows at a moment of the simulation."""
        return self._shows + (moment - self._began) * self.rate

    def when(self, shown: float) -> float:
        """Return the moment of the simulation at which it shows ``shown``."""
        return self._began + (shown - self._shows) / self.rate

    def jump(self, seconds: float) -> None:
        """Show so much more from now on."""
        self._shows += seconds
