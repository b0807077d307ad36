"""A flow: one topic of one publisher as one subscription sees it.

::

    unbased ---- HEADS ----> in step ---- a hole, and what was missed is kept ----> fetching
                              ^   |                                                   |
                              |   +-- a hole, and it is not: told as missed --+       |
                              +-----------------------------------------------+-------+

``next`` is the number awaited. What comes before its turn is held: until the base is known, or while what
is missing before it is being fetched.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from meshmq.wire.news import News

#: News with when they came.
Arrived = tuple[News, float]
#: What comes so much out of order is fetched rather than sorted in.
_OUT_OF_ORDER: Final = 64


class Flow:
    """How far one topic of one publisher is."""

    __slots__ = (
        "based",
        "doubted",
        "dropped",
        "epoch",
        "fetching",
        "fetching_size",
        "head",
        "held",
        "kept",
        "missed",
        "next",
        "publisher",
        "topic",
    )

    def __init__(self, publisher: bytes, topic: str, epoch: int, *, based: bool) -> None:
        self.publisher, self.topic, self.epoch = publisher, topic, epoch
        #: Whether it is known where it begins; else news are held.
        self.based = based
        self.next = 1
        #: What was missed since the last message that was put into the subscription, and what of those before it was
        #: dropped there since the last one that was taken: the next ones tell of it.
        self.missed = self.dropped = 0
        #: The highest number known to have been published.
        self.head = 0
        self.held: deque[Arrived] = deque()
        #: How many messages, and bytes, were asked for and are on their way; 0 when none were.
        self.fetching = self.fetching_size = 0
        #: Whether what is missing is kept by the publisher, as far as we know.
        self.kept = False
        #: The turn of the publisher up to which all must have come before a head is believed (-1: it is).
        self.doubted = -1

    def __repr__(self) -> str:
        return f"<Flow of {self.topic!r} from {self.publisher[:4].hex()} at {self.next:,} of {self.head:,}>"

    @property
    def behind(self) -> bool:
        """Whether something is missing, or waits for what is."""
        return not self.based or bool(self.held) or self.head >= self.next

    @property
    def hole(self) -> int:
        """The last number of the hole that begins at ``next``."""
        return self.held[0][0].first - 1 if self.held else self.head

    def rebase(self, base: int, *, exact: bool = False) -> None:
        """Begin after ``base``, or, unless that is to be ``exact``, where what came already begins."""
        if self.held and not exact:
            base = min(base, self.held[0][0].first - 1)
        self.based = True
        self.next = base + 1

    def restart(self, epoch: int) -> None:
        """Begin anew: the publisher had forgotten the topic."""
        self.epoch, self.next, self.head = epoch, 1, 0
        self.based, self.fetching, self.fetching_size, self.kept, self.doubted = True, 0, 0, False, -1
        self.held.clear()

    def hold(self, news: News, arrived: float) -> bool | None:
        """Keep news until their turn, in order of their numbers.

        Returns ``False`` where they are held already, ``None`` where they are too much out of order.
        """
        held = self.held
        place = len(held)
        while place and held[place - 1][0].first > news.first:
            place -= 1
            if place + _OUT_OF_ORDER < len(held):
                return None
        if place and held[place - 1][0].last >= news.last:
            return False
        held.insert(place, (news, arrived))
        return True
