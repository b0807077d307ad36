"""The clocks of one simulated machine: a monotonic one, by which nodes decide, and the one on its wall."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: What wall clocks show when a simulation begins.
WALL: Final = 1_700_000_000.0


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


class WallClock:
    """What a machine takes for the time of day: somebody may set it, also back; it outlives processes."""

    __slots__ = ("_ahead", "_now")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._ahead = now, 0.0

    def __repr__(self) -> str:
        return f"<WallClock {self._ahead:+.3f} s>"

    def __call__(self) -> float:
        """Return what it shows, in seconds since 1970."""
        return WALL + self._now() + self._ahead

    def jump(self, seconds: float) -> None:
        """Show so much more, or less, from now on."""
        self._ahead += seconds
