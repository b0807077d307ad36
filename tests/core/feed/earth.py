"""What one machine of the feed stands on, without a participant: what it sends and asks for is kept."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from meshmq.wire.frames import Kind

ME = b"m" * 16


class Earth:
    """A ``Ground`` of which the test says whether sessions stand and discovery is over."""

    def __init__(self) -> None:
        self.node_id = ME
        self.outputs: list[tuple[Any, ...]] = []
        self.woken: list[tuple[Hashable, int]] = []
        self.live, self.looked = True, True
        #: What was put, oldest first: to whom, of which kind, the body.
        self.said: list[tuple[bytes, Kind, bytes]] = []
        self._connection = 0

    def put(self, peer: bytes, kind: Kind, body: bytes) -> bool:
        if self.live:
            self.said.append((peer, kind, body))
        return self.live

    def settled(self, now: float) -> bool:
        return self.looked

    def next_connection(self) -> int:
        self._connection += 2
        return self._connection

    def bodies(self, kind: Kind, peer: bytes | None = None) -> list[bytes]:
        """Return the bodies of a kind that were put, and forget them."""
        found = [body for to, said, body in self.said if said is kind and peer in (None, to)]
        self.said = [one for one in self.said if not (one[1] is kind and peer in (None, one[0]))]
        return found

    def spread(self) -> list[Sequence[bytes]]:
        """Return what was put on the topics link, and forget it."""
        found = [output[1] for output in self.outputs if output[0] == "spread"]
        self.outputs = [output for output in self.outputs if output[0] != "spread"]
        return found
