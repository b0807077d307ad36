"""The control link's bound end: an XPUB that publishes cards and hears who subscribes to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import zmq

from meshmq.links.accepted import cut, inode
from meshmq.links.base import Decider
from meshmq.links.door import Door, Refusals
from meshmq.links.options import Options
from meshmq.links.reader import Reader, readable, send
from meshmq.links.sources import Sources

_LONGEST_CLAIM: Final = 1024
#: A node has two on each connection: to all cards, and to its own string.
MOST_CLAIMS: Final = 16


class Published:
    """The bound XPUB; a source of claims."""

    def __init__(self, options: Options, sources: Sources, refusals: Refusals, counts: dict[str, int]) -> None:
        self.socket = options.control_server()
        self.door = Door(self.socket, refusals, secret=options.keys is not None)
        self._reader = Reader(self.socket)
        self._sources = sources
        self._counts = counts
        #: Of each connection its descriptor, the inode of that, and how many subscriptions it has.
        self._standing: dict[int, list[int]] = {}

    def publish(self, frames: Sequence[bytes]) -> None:
        """Send one message to all who subscribed to a beginning of its first frame."""
        send(self.socket, frames)
        if readable(self.socket):  # F 4
            self._sources.wake(self)

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Hand on what was subscribed to and withdrawn."""
        if self.socket.closed:
            return 0
        for fileno in self.door.read(decider, now):
            self._standing.pop(fileno, None)
        taken = 0
        while taken < quota and not self.socket.closed:
            try:
                frame = self._reader.described()
            except zmq.Again:
                break
            frames = self._reader.rest([frame.bytes])
            taken += 1
            claim = frames[0]
            # An XPUB also hands on what a peer sends up the wrong way: that is nothing of ours.
            if len(frames) == 1 and claim[:1] in (b"\0", b"\1") and len(claim) <= _LONGEST_CLAIM + 1:
                if self._admits(frame, claim[0] == 1):
                    decider.claim(claim[1:], claim[0] == 1, now)
            else:
                self._counts["claims"] = self._counts.get("claims", 0) + 1
        return taken

    def _admits(self, frame: zmq.Frame, present: bool) -> bool:
        """Count the subscriptions of a connection: libzmq keeps each of them, so whoever has too many is cut off."""
        try:
            fileno = int(frame.get(zmq.SRCFD))
        except zmq.ZMQError:  # withdrawn by libzmq itself: the connection has ended
            return True
        known = inode(fileno)
        standing = self._standing.get(fileno)
        if standing is None or standing[0] != known:
            standing = self._standing[fileno] = [known, 0]
        standing[1] += 1 if present else -1
        if standing[1] <= MOST_CLAIMS:
            return True
        self._counts["claims"] = self._counts.get("claims", 0) + 1
        cut(fileno, known)
        return False
