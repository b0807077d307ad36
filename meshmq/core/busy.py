"""For how long there was work, whoever did it."""

from __future__ import annotations


class BusyTime:
    """The time during which something was at work, summed up: what utilisation (ρ) is reckoned from."""

    __slots__ = ("_before", "_since")

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None

    def note(self, now: float, *, busy: bool) -> None:
        """Learn whether something is at work from ``now`` on."""
        if busy:
            if self._since is None:
                self._since = now
        elif self._since is not None:
            self._before += now - self._since
            self._since = None

    def until(self, now: float) -> float:
        """Return the seconds of work until ``now``, with what goes on still."""
        return self._before + (now - self._since if self._since is not None else 0.0)
