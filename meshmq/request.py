"""One request, in the hands of who serves it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

from meshmq.core.calls.incoming import Incoming
from meshmq.core.participant import Participant
from meshmq.errors import EncodeError
from meshmq.handling import failure_of
from meshmq.links.engine import Engine
from meshmq.waiting import Wish
from meshmq.wire.calls import Failure, Value


class Servant(Protocol):
    """Who has taken it."""

    def forget(self, incoming: Incoming) -> None:
        """Learn that it is answered."""

    def note(self, incoming: Incoming, failure: Failure) -> None:
        """Learn why an answer could not be sent."""

    def drop(self, incoming: Incoming) -> None:
        """Learn that nobody holds it any more."""


class Desk(Protocol):
    """Where it came, and where it is answered."""

    service: str

    @property
    def title(self) -> str:
        """What words call it."""

    @property
    def key(self) -> Hashable:
        """The line of those who wait for a request."""

    def opened(self) -> tuple[Engine, Participant]:
        """Return what stands behind it."""

    def node_name(self) -> str:
        """Return the name of this node."""

    def encode(self, value: object) -> Value:
        """Return a value as it is sent."""

    def decode(self, value: Value) -> object:
        """Return what was asked."""

    def item_wish(self, item: Request, value: object) -> Wish[bool]:
        """Wish that the caller takes one more item of its stream."""

    def unanswered(self, incoming: Incoming, failure: Failure | None, why: str) -> None:
        """End one that nobody can answer any more."""

    def end(self, item: Request, answer: Value | Failure | None) -> None:
        """End it."""


class Request:
    """What a loop over ``node.reply`` gives, and what a handler may take beside the data.

    It is answered once, by ``reply`` or ``fail``; these never wait, and a second one is ignored. One that
    is left unanswered (dropped, or in hand when its loop ends or its receiver closes) fails at its caller.
    """

    __slots__ = ("__weakref__", "_desk", "_incoming", "_over", "_servant", "data")
    data: Any

    def __init__(self, desk: Desk, servant: Servant, incoming: Incoming) -> None:
        self._desk, self._servant, self._incoming = desk, servant, incoming
        self._over = False

    def __repr__(self) -> str:
        state = "answered" if self._over else "cancelled" if self.cancelled else "not answered"
        return f"<Request for {self.service!r} from {self.sender}, {state}>"

    @property
    def service(self) -> str:
        """The name that was asked."""
        return self._incoming.service

    @property
    def id(self) -> str:
        """Its identity in hex, the same in every attempt."""
        return self._incoming.id.hex()

    @property
    def sender(self) -> str:
        """The name of the node that asks."""
        return self._desk.opened()[1].name_of(self._incoming.caller)

    @property
    def via(self) -> str:
        """The name of the device that it came through; "" where it came directly."""
        incoming = self._incoming
        return self._desk.opened()[1].name_of(incoming.peer) if incoming.peer != incoming.caller else ""

    @property
    def age(self) -> float:
        """Seconds since it was sent: on its way, which is half the round trip, and here."""
        engine, participant = self._desk.opened()
        incoming = self._incoming
        return incoming.held + participant.round_trip(incoming.peer) / 2 + engine.now() - incoming.arrived

    @property
    def headers(self) -> dict[str, str]:
        """What was sent beside the data."""
        return dict(self._incoming.headers or ())

    @property
    def timeout(self) -> float | None:
        """For how many seconds its caller waits still; ``None`` for as long as it takes."""
        until = self._incoming.deadline
        return None if until is None else max(0.0, until - self._desk.opened()[0].now())

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more: leave off."""
        return self._incoming.cancelled

    def reply(self, value: object = None) -> None:
        """Answer. Never waits; a second answer is ignored, and one on a closed node.

        Raises:
            EncodeError: ``value`` would not come back equal; answer otherwise, or the caller is told this.
        """
        if self._over:
            return
        try:
            packed = self._desk.encode(value)
        except EncodeError as error:
            self._servant.note(self._incoming, Failure(*failure_of(error), self._desk.node_name()))
            raise
        self._desk.end(self, packed)

    def fail(self, kind: str, text: str = "") -> None:
        """Answer with a failure: it arrives as ``RemoteError`` with this ``kind`` and ``message``.

        Never waits; a second answer is ignored, and one on a closed node.
        """
        if not self._over:
            self._desk.end(self, Failure(str(kind), str(text), "", self._desk.node_name()))

    def _item_wish(self, value: object) -> Wish[bool]:
        """Wish that the caller takes one more item of its stream."""
        return self._desk.item_wish(self, value)

    def _end(self) -> None:
        """End a stream."""
        self._desk.end(self, None)

    def __del__(self) -> None:
        # Attributes are missing where __init__ was struck by a signal.
        if not getattr(self, "_over", True):
            self._servant.drop(self._incoming)


def check_streamed(request: Request) -> None:
    """Return if a request takes what a handler yields.

    Raises:
        TypeError: it asks for one answer; the caller is told so.
    """
    if not request._incoming.stream:
        raise TypeError(f"service {request.service!r} yields: ask it with node.stream, not with node.request")
