"""How a device shares out to pushers what its workers have granted it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from meshmq.core.sources import Source

#: A pusher that does not use what it was granted for so long, while others wait, gives it back.
RECALL_AFTER: Final = 0.2


@dataclass(slots=True, eq=False)
class Pusher(Source):
    """One pusher, as a device sees it: what came in this session, and what may come."""

    #: When it was last granted something, or sent something.
    stirred: float = 0.0
    #: Where it stands among those who are given something in turn.
    turn: int = 0

    @property
    def unused(self) -> int:
        """How many jobs it may still send."""
        return max(0, self.limit - self.received)

    def sink(self) -> int:
        """Take back what it has not used; returns how much. What is on its way by then is taken all the same."""
        unused, self.limit = self.unused, min(self.limit, self.received)
        return unused


class Share:
    """Gives pushers in turn what workers have free: never more, all together, than that."""

    def __init__(self) -> None:
        self._turn = 0
        #: When what is not used is to be given to others.
        self.deadline: float | None = None

    def allot(self, pushers: Collection[Pusher], free: int, now: float) -> list[Pusher]:
        """Set the limits of all; returns whom to tell."""
        before = {pusher: pusher.limit for pusher in pushers}
        busy = sorted((pusher for pusher in pushers if pusher.backlog), key=lambda pusher: pusher.turn)
        fair = max(1, free // max(1, len(busy or pushers)))
        spare = free - sum(pusher.unused for pusher in pushers)
        wanted = sum(_want(pusher, fair) for pusher in busy)
        if spare < wanted:
            spare += sum(pusher.sink() for pusher in pushers if not pusher.backlog)
        if spare < 0:
            spare += _take_back(pushers, -spare)
        self.deadline = None
        if spare < wanted:
            spare += self._recall(busy, now)
        for pusher in busy or pushers:
            if spare <= 0:
                break
            given = min(spare, _want(pusher, fair))
            if given > 0:
                self._turn += 1
                pusher.limit, pusher.stirred, pusher.turn = pusher.received + pusher.unused + given, now, self._turn
                spare -= given
        return [pusher for pusher, limit in before.items() if pusher.limit != limit]

    def _recall(self, busy: Iterable[Pusher], now: float) -> int:
        """Take from those who do not use what they have; should they have a backlog still, they say so."""
        taken = 0
        for pusher in busy:
            if not pusher.unused:
                continue
            due = pusher.stirred + RECALL_AFTER
            if now >= due:
                taken += pusher.sink()
                pusher.backlog = 0
            elif self.deadline is None or due < self.deadline:
                self.deadline = due
        return taken


def _take_back(pushers: Iterable[Pusher], over: int) -> int:
    """Take from those who have most: workers grant less than they did."""
    left = over
    for pusher in sorted(pushers, key=lambda pusher: -pusher.unused):
        part = min(left, pusher.unused)
        if part:
            pusher.limit -= part
            left -= part
    return over - left


def _want(pusher: Pusher, fair: int) -> int:
    """Return how much more a pusher is to have; nothing as long as half of it is unused."""
    most = min(fair, pusher.backlog) if pusher.backlog else fair
    return most - pusher.unused if pusher.unused <= most // 2 else 0
