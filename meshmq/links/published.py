"""The control link's bound end: an XPUB that publishes cards and hears who subscribes to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshmq.links.base import Decider
from meshmq.links.door import Door, Refusals
from meshmq.links.options import Options
from meshmq.links.reader import Reader, readable, send
from meshmq.links.sources import Sources

_LONGEST_CLAIM: Final = 1024


class Published:
    """The bound XPUB; a source of claims."""

    def __init__(self, options: Options, sources: Sources, refusals: Refusals, counts: dict[str, int]) -> None:
        self.socket = options.control_server()
        self.door = Door(self.socket, refusals, secret=options.keys is not None)
        self._reader = Reader(self.socket)
        self._sources = sources
        self._counts = counts

    def publish(self, frames: Sequence[bytes]) -> None:
        """Send one message to all who subscribed to a beginning of its first frame."""
        send(self.socket, frames)
        if readable(self.socket):  # F 4
            self._sources.wake(self)

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Hand on what was subscribed to and withdrawn."""
        if self.socket.closed:
            return 0
        self.door.read(decider, now)
        taken = 0
        while taken < quota and not self.socket.closed:
            frames = self._reader.message()
            if frames is None:
                break
            taken += 1
            claim = frames[0]
            # An XPUB also hands on what a peer sends up the wrong way: that is nothing of ours.
            if len(frames) == 1 and claim[:1] in (b"\0", b"\1") and len(claim) <= _LONGEST_CLAIM + 1:
                decider.claim(claim[1:], claim[0] == 1, now)
            else:
                self._counts["claims"] = self._counts.get("claims", 0) + 1
        return taken
