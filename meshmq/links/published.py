"""The bound ends that publish, of the control and of the topics link: an XPUB that hears who subscribes to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import zmq

from meshmq.links.accepted import cut, inode
from meshmq.links.base import Decider
from meshmq.links.door import Door, Refusals
from meshmq.links.options import Options
from meshmq.links.reader import Reader, readable, send
from meshmq.links.sources import Ear, Sources

LONGEST_SUBSCRIPTION: Final = 1024
#: A node has two on each connection of its control link: to all cards, and to its own string.
MOST_CLAIMS: Final = 16
#: What one connection of a topics link may be subscribed to; libzmq takes 40 to 60 times the text in memory for it.
MOST_SUBSCRIPTIONS: Final = 100_000
MOST_SUBSCRIBED_BYTES: Final = 8 << 20


class _Standing:
    """What one connection is subscribed to."""

    __slots__ = ("inode", "is_cut", "size", "strings")

    def __init__(self, known: int) -> None:
        #: What tells its descriptor from the next one of the same number.
        self.inode = known
        self.is_cut = False
        self.strings: set[bytes] = set()
        self.size = 0


class Published:
    """A bound XPUB; a source of claims or of subscriptions."""

    def __init__(
        self,
        link: Literal["control", "topics"],
        options: Options,
        sources: Sources,
        refusals: Refusals,
        counts: dict[str, int],
    ) -> None:
        if link == "topics":
            self.socket = options.topics_server()
            self._most, self._counted = MOST_SUBSCRIPTIONS, "subscriptions"
        else:
            self.socket = options.control_server()
            self._most, self._counted = MOST_CLAIMS, "claims"
        self.door = Door(self.socket, refusals, secret=options.keys is not None)
        self.ear = Ear(self._read_door)
        self._link = link
        self._reader = Reader(self.socket)
        self._sources = sources
        self._counts = counts
        #: By descriptor.
        self._standing: dict[int, _Standing] = {}

    def publish(self, frames: Sequence[bytes]) -> None:
        """Send one message to all who subscribed to a beginning of its first frame."""
        send(self.socket, frames)
        if readable(self.socket):  # F 4
            self._sources.wake(self)

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Hand on what was subscribed to and withdrawn."""
        if self.socket.closed:
            return 0
        self._read_door(decider, now)
        tell = decider.tuned if self._link == "topics" else decider.claim
        taken = 0
        while taken < quota and not self.socket.closed:
            try:
                frame = self._reader.described()
            except zmq.Again:
                break
            frames = self._reader.rest([frame.bytes])
            taken += 1
            head, string = frames[0][:1], frames[0][1:]
            # An XPUB also hands on what a peer sends up the wrong way: that is nothing of ours.
            if len(frames) > 1 or head not in (b"\0", b"\1"):
                self._count()
                continue
            self._keep(frame, string, present=head == b"\1")
            if len(string) <= LONGEST_SUBSCRIPTION:
                # Also for one that is cut off now: libzmq withdraws what it took, all of it.
                tell(string, head == b"\1", now)
            else:
                self._count()
        return taken

    def _read_door(self, decider: Decider, now: float) -> None:
        if not self.socket.closed:
            for fileno in self.door.read(decider, now):
                self._standing.pop(fileno, None)

    def _keep(self, frame: zmq.Frame, string: bytes, *, present: bool) -> None:
        """Count what a connection is subscribed to: libzmq keeps it all, so whoever has too much is cut off."""
        try:
            fileno = int(frame.get(zmq.SRCFD))
        except zmq.ZMQError:  # withdrawn by libzmq itself: the connection has ended
            return
        known = inode(fileno)
        if known < 0:  # it has ended, and this is the rest of what it said
            return
        standing = self._standing.get(fileno)
        if standing is None or standing.inode != known:
            standing = self._standing[fileno] = _Standing(known)
        if standing.is_cut or present == (string in standing.strings):
            return
        if not present:
            standing.strings.remove(string)
            standing.size -= len(string)
            return
        standing.strings.add(string)
        standing.size += len(string)
        if len(standing.strings) > self._most or standing.size > MOST_SUBSCRIBED_BYTES:
            standing.is_cut = True
            standing.strings.clear()
            self._count()
            cut(fileno, known)

    def _count(self) -> None:
        self._counts[self._counted] = self._counts.get(self._counted, 0) + 1
