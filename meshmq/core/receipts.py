"""Receipts: what is to be confirmed to pushers next, and what was done here, so that repeats are known."""

from __future__ import annotations

from collections import OrderedDict
from math import inf
from typing import Final

from meshmq.core.credit import Ranges

ORIGINS_KEPT: Final = 1_000
#: How often a quick consumer's progress is told, in seconds. Less than the credit of a busy line lasts; each telling
#: costs its pusher a step, which with four of them and 2 ms was half of what they did.
TELL_AFTER: Final = 0.005


class Receipts:
    """Jobs done, by origin; and for each pusher the last job begun and the ranges to confirm."""

    def __init__(self) -> None:
        self._done: OrderedDict[bytes, Ranges] = OrderedDict()
        self._due: dict[bytes, dict[bytes, tuple[int, Ranges]]] = {}
        self._told_at = -inf
        #: Whether telling waits for more to tell.
        self.held = False

    def remember(self, origin: bytes, first: int, last: int) -> None:
        """Note that jobs were done here."""
        ranges = self._done.get(origin)
        if ranges is None:
            ranges = self._done[origin] = Ranges()
            if len(self._done) > ORIGINS_KEPT:
                self._done.popitem(last=False)
        else:
            self._done.move_to_end(origin)
        ranges.add(first, last)

    def knows(self, origin: bytes, number: int) -> bool:
        """Whether a job was done here."""
        done = self._done.get(origin)
        return done is not None and number in done

    def hold(self, now: float, *, more: bool) -> bool:
        """Note that a hand is finished; whether to tell it later, together with the next.

        While ``more`` is here, quick hands are told in one frame every 5 ms, and not in one each.
        """
        self.held = more and now - self._told_at < TELL_AFTER
        if not self.held:
            self._told_at = now
        return self.held

    def release(self, now: float) -> None:
        """Tell at once what was held."""
        self.held, self._told_at = False, now

    def begin(self, peer: bytes, origin: bytes, number: int) -> None:
        """Have a pusher told of the last job begun."""
        origins = self._due.setdefault(peer, {})
        _, ranges = origins.get(origin) or (-1, Ranges(10_000))
        origins[origin] = (number, ranges)

    def confirm(self, peer: bytes, origin: bytes, first: int, last: int) -> None:
        """Have a pusher told that jobs are done."""
        origins = self._due.setdefault(peer, {})
        begun, ranges = origins.get(origin) or (-1, Ranges(10_000))
        ranges.add(first, last)
        origins[origin] = (begun, ranges)

    def forget(self, peer: bytes) -> None:
        """Tell a pusher nothing: its session is over."""
        self._due.pop(peer, None)

    def due(self) -> dict[bytes, list[tuple[bytes, int, list[tuple[int, int]]]]]:
        """Return, and forget, what each pusher is to be told: origin, last job begun, ranges done."""
        if not self._due:
            return {}
        due, self._due = self._due, {}
        return {
            peer: [(origin, begun, ranges.pairs()) for origin, (begun, ranges) in origins.items()]
            for peer, origins in due.items()
        }
