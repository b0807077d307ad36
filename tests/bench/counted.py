"""What a pusher and its one worker of a rival do: some jobs first, then those that are measured.

The worker knows how many there will be, and tells when the last is done; the clock is one for all processes of a
machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from meshmq.bench.work import Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage


class Counted:
    """Counts what a worker has done."""

    def __init__(self, stage: Stage, work: Work) -> None:
        self._stage = stage
        self._warm = work.warm * work.senders
        self._all = self._warm + work.total
        self._done = 0

    @property
    def over(self) -> bool:
        """Whether all is done, or nobody waits for it."""
        return self._done >= self._all or self._stage.stopped

    def add(self, count: int = 1) -> None:
        """Count some that are done."""
        before, self._done = self._done, self._done + count
        if before < self._warm <= self._done:
            self._stage.tell(here=True)
        if before < self._all <= self._done:
            self._stage.tell(ended=time.perf_counter())


def push_counted(stage: Stage, work: Work, send: Callable[[int], None]) -> None:
    """Send some, wait, and send the share that is measured; ``send`` returns when what it sent is confirmed."""
    send(work.warm)
    stage.tell(ready=True)
    stage.wait_for_go()
    begun = time.perf_counter()
    send(work.share)
    stage.tell(begun=begun, seconds=time.perf_counter() - begun)
    stage.wait_for_stop()
