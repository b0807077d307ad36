"""A path: one way by which news of one publisher come, over its own topics link or through a device."""

from __future__ import annotations

from typing import Final

from meshmq.core.feed.tuner import Tuner
from meshmq.wire.relaying import Echo

#: What has not come for so long on a path that is silent is lost.
SILENT_AFTER: Final = 0.2
#: Before it is given up for another it may be silent for longer: nobody waits for that.
EXHAUSTED_AFTER: Final = 0.5


class Path:
    """What comes by one way: the tuner is the publisher's own, or one that all publishers behind a device share."""

    __slots__ = ("echoed", "heard_at", "proven_at", "since", "strings", "tag", "tuner", "turn")

    def __init__(self, tuner: Tuner, tag: bytes = b"") -> None:
        self.tuner, self.tag = tuner, tag
        #: What we want to come by it: beginnings of topics. (Of the publisher's own link the tuner knows.)
        self.strings: dict[bytes, None] = {}
        #: The last marker that had an echo, the turn it told, and when it came.
        self.echoed = self.since = 0
        self.proven_at = 0.0
        #: The last turn of the publisher that was heard here.
        self.turn = 0
        self.heard_at = 0.0

    def __repr__(self) -> str:
        return f"<Path {'through a device' if self.tag else 'direct'} at turn {self.turn}, {self.tuner!r}>"

    @property
    def live(self) -> bool:
        """Whether news may come by it."""
        return self.tuner.connection is not None and (not self.tag or self.echoed > 0)

    def brings(self, string: bytes) -> bool:
        """Whether an echo has told that all of what starts with a string comes by it."""
        mark = self.tuner.strings.get(self.tag + string)
        return mark is not None and mark <= self.echoed and self.tuner.connection is not None

    def heard(self, turn: int, now: float) -> None:
        """Note that something came."""
        self.heard_at = now
        self.turn = max(self.turn, turn)
        self.tuner.heard()

    def answered(self, echo: Echo, now: float) -> None:
        """Take an echo: it came after all of this path that was published before it."""
        if not echo.turn:
            self.echoed = 0
            return
        self.heard(echo.turn, now)
        if echo.mark > self.echoed:
            self.echoed, self.since, self.proven_at = echo.mark, max(self.since, echo.turn), now

    def silent(self, now: float, since: float) -> bool:
        """Whether nothing has come for so long, also since a moment, that what is missing will not come any more."""
        return now >= max(self.heard_at, since) + SILENT_AFTER

    def exhausted(self, after: Path, now: float) -> bool:
        """Whether it has brought all that another path, which carries on after it, does not bring."""
        silent = now >= max(self.heard_at, after.proven_at) + EXHAUSTED_AFTER
        return self.turn >= after.since or not self.live or silent
