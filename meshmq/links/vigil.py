"""Whether to stay awake for a moment before one sleeps: of what comes by a lane, the next is often just under way.

A processor that sleeps takes 25 us to wake here, and then runs our code from cold caches at half its speed. Two who
stay awake for each other make a round trip in 97 us of 190. Who waits for long pays next to nothing for trying.
"""

from __future__ import annotations

import os
from typing import Final

#: Seconds to stay awake at most. With half of it two who had both slept never came to find each other awake.
SPAN: Final = 0.0002
#: So many in a row that were in vain: then one wait in two to this power is tried.
_MOST_VAIN: Final = 8


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # of Linux alone, but so are lanes
        return 1


#: Where there is one processor alone, whoever is waited for needs it.
_PAYS: Final = _processors() > 1


class Vigil:
    """Whether it pays for one who waits again and again: after each that is in vain it is tried half as often."""

    __slots__ = ("_skips", "_vain")

    def __init__(self) -> None:
        self._skips = self._vain = 0

    def begins(self) -> bool:
        """Whether to stay awake this time; if so, ``ended`` is to be told what came of it."""
        if self._skips:
            self._skips -= 1
            return False
        return _PAYS

    def ended(self, *, caught: bool) -> None:
        """Learn whether something came meanwhile."""
        self._vain = 0 if caught else min(self._vain + 1, _MOST_VAIN)
        self._skips = (1 << self._vain) - 1
