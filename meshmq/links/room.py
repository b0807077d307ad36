"""Who waits for what: one line per key, and the oldest is woken first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from meshmq.links.waiter import Waiter


class WaitingRoom:
    """Keeps the lines. Entered by one thread at a time (the engine's lock).

    Being woken takes a waiter out of the line; the wake is *given* until the waiter leaves or stands
    in line again. One that leaves without having taken what it was woken for passes the wake on.
    """

    __slots__ = ("_given", "_lines")

    def __init__(self) -> None:
        # An ordered dictionary and not a deque: ten thousand cancelled tasks leave from the middle.
        self._lines: dict[Hashable, OrderedDict[Waiter, None]] = {}
        self._given: set[tuple[Hashable, Waiter]] = set()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values())) + len(self._given)

    def enter(self, key: Hashable, waiter: Waiter) -> None:
        """Put ``waiter`` at the end of the line; at its head when it was woken in vain. Twice is once."""
        line = self._lines.setdefault(key, OrderedDict())
        line.setdefault(waiter)
        if (key, waiter) in self._given:
            self._given.discard((key, waiter))
            line.move_to_end(waiter, last=False)

    def leave(self, key: Hashable, waiter: Waiter, took: bool) -> None:
        """Take ``waiter`` out; unless it ``took`` what it was woken for, wake the next in its place."""
        line = self._lines.get(key)
        if line is not None and waiter in line:
            del line[waiter]
            if not line:
                del self._lines[key]
        elif (key, waiter) in self._given:
            self._given.discard((key, waiter))
            if not took:
                self.wake(key, 1)

    def wake(self, key: Hashable, count: int) -> None:
        """Wake the ``count`` oldest in line, or all if there are fewer."""
        line = self._lines.get(key)
        if line is None:
            return
        while line and count > 0:
            waiter, _ = line.popitem(last=False)
            if waiter.wake():  # one that is gone (its loop was closed) costs nobody a wake
                self._given.add((key, waiter))
                count -= 1
        if not line:
            del self._lines[key]

    def wake_all(self) -> None:
        """Wake everybody, for good: those who come later find out by trying."""
        lines, self._lines = self._lines, {}
        self._given.clear()
        for line in lines.values():
            for waiter in line:
                waiter.wake()
