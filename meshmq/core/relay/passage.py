"""A request on its way through a device."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshmq.wire.calls import Request


@dataclass(slots=True, eq=False)
class Passage:
    """One request on its way: whose it is, who has it, and who refused it."""

    caller: bytes
    request: Request
    arrived: float
    asked: dict[bytes, None] = field(default_factory=dict)
    refused: dict[bytes, str] = field(default_factory=dict)
    #: Who is to have it once the session stands, and since when.
    assigned: bytes | None = None
    assigned_at: float = 0.0

    @property
    def id(self) -> bytes:
        """The request's id."""
        return self.request.id
