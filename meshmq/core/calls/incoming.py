"""Requests that came, as a server keeps them: in the line of their service, in hand, or done and remembered."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence

from meshmq.core.busy import BusyTime
from meshmq.wire.calls import Request, Value
from meshmq.wire.headers import Headers, headers_bytes

#: Who asked, and the id that he gave the request.
Key = tuple[bytes, bytes]


class Incoming:
    """One request that came. Attributes may be read by anybody; they change under the engine's lock alone."""

    __slots__ = (
        "arrived", "attempt", "began", "caller", "cancelled", "deadline", "demand", "headers", "held", "id",
        "idempotent", "on_cancel", "over", "peer", "running", "sent", "service", "size", "span", "stream", "value",
    )  # fmt: skip

    def __init__(self, request: Request, peer: bytes, now: float) -> None:
        self.id, self.service, self.peer = request.id, request.service, peer
        #: Who asks; a device has sent it on where that is not the peer.
        self.caller, self.held = request.caller or peer, request.held
        self.value: Value = request.value
        self.headers: Headers | None = request.headers
        self.idempotent, self.stream, self.attempt = request.idempotent, request.stream, request.attempt
        self.size = request.value.size + (headers_bytes(request.headers) if request.headers else 0)
        self.arrived = now
        #: For how many seconds the caller waited still, and the moment at which it ends (of a stream only until begun).
        self.span = request.left
        self.deadline = None if request.left is None else now + request.left
        #: Whether nobody waits for the answer any more: who handles it should leave off.
        self.cancelled = False
        #: Called once when it is cancelled; see ``Server.watch``.
        self.on_cancel: Callable[[], object] | None = None
        #: How many items of a stream may be sent, and are; counted from the first.
        self.demand, self.sent = request.demand, 0
        self.running = self.over = False
        self.began = now

    def __repr__(self) -> str:
        state = "over" if self.over else "cancelled" if self.cancelled else "running" if self.running else "waiting"
        return f"<Incoming {self.id[:4].hex()} of {self.service!r} {state}>"

    @property
    def key(self) -> Key:
        """Who asked, and the id."""
        return self.caller, self.id


class Line:
    """The requests of one service that wait, and what became of all that came."""

    def __init__(self, name: str, *, shown: bool) -> None:
        self.name, self.shown = name, shown
        self.open = True
        #: Whether all of them may be asked again, whatever their callers say.
        self.idempotent = False
        #: Called, under the lock, when a request comes.
        self.asked: Callable[[], object] | None = None
        self.waiting: OrderedDict[Incoming, None] = OrderedDict()
        self.waiting_bytes = 0
        self.running = 0
        self.counts: Counter[str] = Counter()
        #: How many ran and ended, and the seconds they spent here, waiting included; and for how long any was at work.
        self.ended, self.stayed = 0, 0.0
        self.busy = BusyTime()

    def __repr__(self) -> str:
        return f"<Line of {self.name!r}, {len(self.waiting)} waiting, {self.running} running>"

    def add(self, incoming: Incoming) -> None:
        """Put a request at the end."""
        self.waiting[incoming] = None
        self.waiting_bytes += incoming.size

    def remove(self, incoming: Incoming) -> None:
        """Take a request out, wherever it stands."""
        del self.waiting[incoming]
        self.waiting_bytes -= incoming.size

    def full(self, size: int, most: int, most_bytes: int) -> bool:
        """Whether there is no room for one more of that size; one larger than all the room is let in when alone."""
        return len(self.waiting) >= most or (bool(self.waiting) and self.waiting_bytes + size > most_bytes)


class Remembered:
    """Answers that were given, for who asks again: bounded in number, bytes and time."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._answers: OrderedDict[Key, tuple[float, Sequence[bytes], int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def put(self, key: Key, frames: Sequence[bytes], until: float) -> None:
        """Remember an answer; the oldest go first, and the last one stays whatever its size."""
        size = sum(map(len, frames))
        self._answers[key] = (until, frames, size)
        self._bytes += size
        while len(self._answers) > 1 and (len(self._answers) > self._most or self._bytes > self._most_bytes):
            self._drop(next(iter(self._answers)))

    def get(self, key: Key, now: float) -> Sequence[bytes] | None:
        """Return the answer that was given to a request."""
        found = self._answers.get(key)
        return found[1] if found is not None and found[0] > now else None

    def forget(self, now: float) -> float | None:
        """Drop what nobody will ask for any more; returns when there is more of it."""
        for key in [key for key, (until, _, _) in self._answers.items() if until <= now]:
            self._drop(key)
        return min((until for until, _, _ in self._answers.values()), default=None)

    def _drop(self, key: Key) -> None:
        self._bytes -= self._answers.pop(key)[2]
