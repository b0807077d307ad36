"""What the pusher of one job wants beside what holds for many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from meshmq.fate import ORDINARY, Fate

#: How a job can end.
Outcome = Literal["done", "dead", "expired"]


@dataclass(slots=True, eq=False)
class Awaited:
    """A job whose pusher wants to learn its end, and why it is dead."""

    outcome: Outcome | None = None
    reason: str = ""


@dataclass(slots=True, eq=False)
class Entry:
    """A durable job that its pusher waits for: whether it is on disk, or why it cannot be."""

    safe: bool = False
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Wants:
    """What is to become of a job (``fate``), and what is its own; spans are seconds."""

    fate: Fate = ORDINARY
    #: Nobody begins it before so many seconds are over.
    delay: float = 0.0
    #: Jobs of one key are done in order.
    key: str | None = None
    #: An id of the user's own, and for how long nobody may give it again.
    unique: str | None = None
    window: float = 0.0
    awaited: Awaited | None = None
    #: Where it is noted that it is on disk; a durable job has one.
    entry: Entry | None = None


PLAIN: Final = Wants()
