"""The tray of an outbox, or of what is published: small ones lie here, while the line is busy, until the next step.

Laying one here takes no lock (``list.append`` is whole), which halves the time of a push: 1.3 to 0.6 us.
Who lays one looks at ``room`` before, and again after: where it is gone, the tray may have been cleared for
the last time in between.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

ItemT = TypeVar("ItemT")

#: While the line is busy a batch grows for at most this long.
BATCH_WAIT: Final = 0.001
TRAY_JOBS: Final = 2_048
#: The largest job that may be laid here.
TRAY_BYTES: Final = 4 * 1024


class Tray(Generic[ItemT]):
    """Jobs, or messages, without a number yet; ``room`` of them may lie here, until it is cleared at ``due``."""

    __slots__ = ("closed", "due", "jobs", "room")

    def __init__(self) -> None:
        self.jobs: list[ItemT] = []
        self.room = 0
        self.due = 0.0
        self.closed = False

    def set(self, room: int, now: float) -> None:
        """Let so many jobs be laid here; none once it is closed."""
        self.room, self.due = 0 if self.closed else max(0, min(TRAY_JOBS, room)), now + BATCH_WAIT

    def close(self) -> None:
        """Let nothing be laid here any more; what lies here is still to be taken."""
        self.closed, self.room = True, 0

    def take(self) -> list[ItemT]:
        """Take what lies here now; more may be laid meanwhile."""
        taken = self.jobs[:]
        del self.jobs[: len(taken)]
        return taken

    def withdraw(self, item: ItemT) -> bool:
        """Take one off the tray again; whether it was still there."""
        for index, lying in enumerate(self.jobs):
            if lying is item:
                del self.jobs[index]
                return True
        return False
