"""What is done in a run, and where: what all processes that take part are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["push", "publish", "request", "large", "discover"]
Face = Literal["sync", "async"]
Transport = Literal["ipc", "tcp"]

#: Seconds after which something must have come.
LIMIT: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the senders and receivers of one run do."""

    kind: Kind
    """What they do."""

    count: int
    """Messages of all senders together."""

    size: int | None = None
    """Bytes of a message; ``None`` is a small dict."""

    array: bool = False
    """Whether these are numpy's."""

    senders: int = 1
    """Processes that push, publish or ask."""

    receivers: int = 1
    """Processes that pull, subscribe or answer."""

    face: Face = "sync"
    """``Node`` and plain sockets, or ``AsyncNode`` and ``zmq.asyncio``."""

    transport: Transport = "ipc"
    """What carries it, for both sides."""

    secure: bool = False
    """Whether there is a secret; of the bare sockets none is encrypted."""

    in_flight: int = 1
    """Requests that a sender waits for at a time: threads, or tasks."""

    rate: float | None = None
    """Requests a second of all senders together, on a schedule; ``None`` asks again when an answer is there."""

    @property
    def share(self) -> int:
        """How many messages a sender sends."""
        return max(1, self.count // self.senders)

    @property
    def total(self) -> int:
        """How many messages all senders send."""
        return self.share * self.senders

    @property
    def warm(self) -> int:
        """How many messages a sender sends before what is measured."""
        return min(1_000, max(1, self.share // 10))

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        who = f"{self.receivers} there" if self.kind == "discover" else f"{self.senders}:{self.receivers}"
        size = "" if self.size is None else f" {size_of(self.size)}" + " array" * self.array
        more = f" x {self.in_flight}" if self.in_flight > 1 else ""
        secret = " encrypted" if self.secure else ""
        pace = f" at {self.rate:g}/s" if self.rate else ""
        return f"{self.kind}{size} {who}{more} {self.face}{secret}{pace}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the processes of one run meet."""

    mesh: str
    """The mesh of their nodes."""

    directory: str
    """Holds unix sockets, ours and theirs."""

    transport: Transport
    """What carries it."""

    secret: str | None = None
    """The secret of the mesh."""

    interfaces: str = "127.0.0.1"
    """What ``MESHMQ_INTERFACES`` says; ``""`` is all of this machine."""

    def bind(self, name: str, number: int) -> str:
        """Return where a bare socket of this name is bound."""
        if self.transport == "ipc":
            return f"ipc://{self.directory}/{name}{number}"
        return f"tcp://{self.interfaces.split(',')[0] or '*'}:*"


def size_of(size: int) -> str:
    """Return a number of bytes for people: ``100 B``, ``64 KiB``, ``1 MB``."""
    for unit, one in (("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("kB", 1_000)):
        if size >= one and size % one == 0:
            return f"{size // one} {unit}"
    return f"{size} B"
