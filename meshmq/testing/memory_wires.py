"""One connection of the in-memory network, with what is known of it at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshmq.links.base import Connection, LinkName
from meshmq.testing.subscriptions import Subscriptions

if TYPE_CHECKING:
    from meshmq.testing.memory_links import MemoryLinks


class Wire:
    """One connection, as both ends see it."""

    __slots__ = ("answering", "dialler", "ended", "heard", "link", "listener", "lost", "number", "strings", "target")

    def __init__(self, link: LinkName, dialler: MemoryLinks, number: Connection, strings: Sequence[bytes]) -> None:
        self.link = link
        self.dialler = dialler
        self.number = number
        #: What the dialler is subscribed to.
        self.strings = Subscriptions(strings)
        #: What of it the listener has been told, and goes by.
        self.heard = Subscriptions()
        self.target = ""
        self.listener: MemoryLinks | None = None
        self.answering: Connection = -1
        self.lost = False
        self.ended = False

    def other(self, number: Connection) -> tuple[MemoryLinks | None, Connection]:
        return (self.listener, self.answering) if number == self.number else (self.dialler, self.number)

    def tune(self, added: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        listener = None if self.lost or self.ended else self.listener
        for string in added:
            if self.strings.add(string) and listener is not None:
                self.heard.add(string)
                listener.tell(self, string, present=True)
        for string in dropped:
            if self.strings.drop(string) and listener is not None:
                self.heard.drop(string)
                listener.tell(self, string, present=False)

    def carry(self, sender: Connection, message: tuple[bytes, ...]) -> None:
        other, number = self.other(sender)
        if other is not None and not self.lost and not self.ended:
            other.put(number, lambda decider, now: decider.receive(number, message, now))
