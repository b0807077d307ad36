"""One call of ours: what is asked, whom, and how it ended."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from meshmq.core.moments import earliest
from meshmq.errors import MeshError
from meshmq.wire.calls import Answer, Value
from meshmq.wire.headers import Headers

#: Items of a stream that may be under way; before their size is known, and at most.
FIRST_ITEMS: Final = 4
MOST_ITEMS: Final = 64


# Not frozen, as what is made for each call; see wire.calls.
@dataclass(slots=True)
class Asking:
    """What a user asks: ``timeout`` is for the whole call, of a stream for each item."""

    service: str
    value: Value
    headers: Headers | None = None
    timeout: float | None = None
    retries: int = 0
    idempotent: bool = False
    stream: bool = False
    #: Sticks to one server by it.
    key: bytes | None = None
    #: The name of the only node that may serve it, or its id in hex.
    to: str | None = None


@dataclass(slots=True)
class Outcome:
    """How a call ended: by an answer of a peer, or by an error of our own; one of both is there."""

    peer: bytes | None = None
    answer: Answer | None = None
    error: MeshError | None = None


@dataclass(slots=True, eq=False)
class Call:
    """One call of ours. Attributes may be read by anybody; they change under the engine's lock alone."""

    id: bytes
    asking: Asking
    began: float
    #: The moment at which it is over; of a stream, at which the next item has to be here.
    deadline: float | None
    #: Woken when something has become of it.
    wake: Hashable
    outcome: Outcome | None = None
    attempt: int = 0
    #: When the share of an attempt is over, and how long each share is.
    retry_at: float | None = None
    share: float = 0.0
    #: Who has it and has not answered.
    asked: dict[bytes, None] = field(default_factory=dict)
    #: Who is to have it once the session stands, and since when.
    assigned: bytes | None = None
    assigned_at: float = 0.0
    #: Who refused it, and with what word.
    refused: dict[bytes, str] = field(default_factory=dict)
    handed: bool = False
    lost: str = ""
    #: Of a stream: items that are here, and how many came, were taken and may come.
    items: deque[Value] = field(default_factory=deque)
    came: int = 0
    taken: int = 0
    granted: int = FIRST_ITEMS
    largest: int = 1

    def __repr__(self) -> str:
        state = "over" if self.outcome is not None else f"at {len(self.asked)}" if self.asked else "nowhere"
        return f"<Call {self.id[:4].hex()} of {self.asking.service!r} {state}>"

    def next_moment(self, grace: float) -> float | None:
        """Return when something has to be done about it."""
        if self.retry_at is None and self.assigned is None:
            return self.deadline
        return earliest(self.deadline, self.retry_at, None if self.assigned is None else self.assigned_at + grace)

    def window(self, room: int) -> int:
        """Return how many items may be here and under way, of the size of those that came."""
        return max(1, min(MOST_ITEMS if self.came else FIRST_ITEMS, room // self.largest))


class Asked:
    """What became of all calls of one service."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.outstanding = 0
        #: How many got an answer, a failure included, and the seconds until then.
        self.answered, self.waited = 0, 0.0
