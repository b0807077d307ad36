"""Simulated connections: what is on its way, and what is already lost without anybody knowing."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshmq.links.base import Connection, LinkName
from meshmq.names import counted
from meshmq.testing.subscriptions import Subscriptions

if TYPE_CHECKING:
    from meshmq.testing.simulated_node import SimulatedNode


class Pipe:
    """One direction of a connection."""

    __slots__ = ("arrived", "last", "lost_from", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.arrived = 0
        self.last = 0.0
        self.lost_from: int | None = None

    def lose(self, lies: random.Random) -> None:
        """From some message on, which may already be under way, nothing arrives any more."""
        if self.lost_from is None:
            self.lost_from = lies.randint(self.arrived, self.sent)

    def loses(self, number: int) -> bool:
        return self.lost_from is not None and number >= self.lost_from


class Direct:
    """A direct connection."""

    __slots__ = (
        "answering",
        "back",
        "backlog",
        "dialler",
        "doubled_until",
        "listener",
        "number",
        "serial",
        "there",
        "unsendable",
    )

    def __init__(self, serial: int, dialler: SimulatedNode, number: Connection) -> None:
        self.serial = serial
        self.dialler = dialler
        self.number = number
        self.listener: SimulatedNode | None = None
        self.answering: Connection = -1
        self.there = Pipe()
        self.back = Pipe()
        self.backlog: list[tuple[Sequence[bytes], str]] = []
        #: Until when everything on it arrives twice.
        self.doubled_until = -1.0
        #: Numbers of the ends that learn of the end when they send next, as a ROUTER does.
        self.unsendable: set[Connection] = set()

    def ends(self, number: Connection) -> tuple[Pipe, SimulatedNode | None, Connection]:
        """Return, for the end called ``number``: its way out, and the other end."""
        if number == self.number:
            return self.there, self.listener, self.answering
        return self.back, self.dialler, self.number


class Epoch:
    """What a control or topics connection is between a connect and a disconnect."""

    __slots__ = ("heard", "over", "pipe", "up")

    def __init__(self) -> None:
        #: What is published, to the subscriber; and the way up, of what it subscribes to and withdraws.
        self.pipe, self.up = Pipe(), Pipe()
        #: What has arrived of that, and is in effect.
        self.heard = Subscriptions()
        self.over = False


class Subscriber:
    """The dialling end of a control or topics connection, through all its reconnects."""

    __slots__ = ("address", "dialler", "doubled_until", "epoch", "link", "number", "publisher", "strings")

    def __init__(self, link: LinkName, dialler: SimulatedNode, number: Connection, strings: Sequence[bytes]) -> None:
        self.link = link
        self.dialler = dialler
        self.number = number
        self.strings = Subscriptions(strings)
        self.address = ""
        self.doubled_until = -1.0
        self.publisher: SimulatedNode | None = None
        self.epoch: Epoch | None = None


def digest(frames: Sequence[bytes]) -> str:
    """Return what a trace shows of a message: frames, bytes and a checksum."""
    checksum = 0
    for frame in frames:
        checksum = zlib.crc32(frame, checksum)
    return f"{counted(len(frames), 'frame')}, {counted(sum(map(len, frames)), 'byte')}, {checksum:08x}"
