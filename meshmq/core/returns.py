"""Returns: the jobs that go back to their pushers undone, told in as few frames as there are things to say."""

from __future__ import annotations

from meshmq.wire.fields import RANGES_LIMIT
from meshmq.wire.frames import Kind
from meshmq.wire.verdicts import Verdict, pack_settle

#: What one frame says, and to whom: pusher, verdict, origin, delay, reason.
Saying = tuple[bytes, Verdict, bytes, float | None, str]


class Returns:
    """Ranges of jobs to give back, by what is said of them."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._due: dict[Saying, list[tuple[int, int]]] = {}

    def add(
        self,
        peer: bytes,
        verdict: Verdict,
        origin: bytes,
        first: int,
        last: int,
        delay: float | None = None,
        reason: str = "",
    ) -> None:
        """Have a pusher told that jobs go back."""
        ranges = self._due.setdefault((peer, verdict, origin, delay, reason), [])
        if ranges and ranges[-1][1] + 1 == first:
            first, _ = ranges.pop()
        ranges.append((first, last))

    def forget(self, peer: bytes) -> None:
        """Tell a pusher nothing: its session is over."""
        self._due = {saying: ranges for saying, ranges in self._due.items() if saying[0] != peer}

    def take(self) -> list[tuple[bytes, Kind, bytes]]:
        """Return, and forget, the frames that are due."""
        if not self._due:
            return []
        due, self._due = self._due, {}
        return [
            (
                peer,
                Kind.SETTLE,
                pack_settle(self._queue, verdict, origin, ranges[start : start + RANGES_LIMIT], delay, reason),
            )
            for (peer, verdict, origin, delay, reason), ranges in due.items()
            for start in range(0, len(ranges), RANGES_LIMIT)
        ]
