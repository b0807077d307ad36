"""A follower: one subscription of one peer, as the publisher sees it."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.names import RESERVED
from meshmq.wire.subscribing import Since, Wanted, Way


class Follower:
    """Who it is, what it wants, and whether it was answered."""

    __slots__ = ("answered", "began", "group", "mark", "number", "patterns", "peer", "since", "way", "whole")

    def __init__(self, peer: bytes, wanted: Wanted, now: float) -> None:
        self.peer, self.number = peer, wanted.number
        self.patterns: dict[str, None] = {}
        self.since: Since | None = wanted.since
        self.way: Way = wanted.way
        self.mark, self.group = wanted.mark, wanted.group
        #: Since when it has been subscribed, on our clock.
        self.began = now - wanted.span
        self.whole = self.answered = False

    def __repr__(self) -> str:
        return f"<Follower {self.number} of {self.peer[:4].hex()}: {', '.join(list(self.patterns)[:5])}>"

    @property
    def taps(self) -> bool:
        """Whether it wants copies: what is the nodes' own."""
        return self.group is None and any(pattern.startswith(RESERVED) for pattern in self.patterns)

    @property
    def only_taps(self) -> bool:
        """Whether it wants nothing else: nobody waits for it."""
        return all(pattern.startswith(RESERVED) for pattern in self.patterns)

    def add(self, patterns: Sequence[str]) -> list[str]:
        """Take more patterns of the same subscription; returns those that are new."""
        new = [pattern for pattern in dict.fromkeys(patterns) if pattern not in self.patterns]
        self.patterns.update(dict.fromkeys(new))
        return new
