"""Who serves: takes requests of one service, and sees to it that each gets an answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from meshmq.core.calls.incoming import Incoming
from meshmq.errors import ClosedError, DecodeError, WouldBlock
from meshmq.request import Desk, Request
from meshmq.wire.calls import Failure

_logger: Final = logging.getLogger("meshmq.calls")
_EVERYBODY: Final = 1_000_000


class Servant:
    """One user of a service: a receiver, a loop over it, or a place of its handler; a ``Taker``.

    It may have several requests in hand; when it leaves, those that nobody answered fail.
    """

    def __init__(self, desk: Desk, owner: object) -> None:
        self._desk, self._owner = desk, owner
        self.engine, self._participant = desk.opened()
        self._server = self._participant.calls.server
        #: Requests that are not answered, each with what its caller is told if nothing else is.
        self._in_hand: dict[Incoming, Failure | None] = {}
        self.left = self._ended = False

    def __repr__(self) -> str:
        return f"<Servant of {self._desk.service!r}>"

    def next_nowait(self) -> Request:
        """Return the next request.

        Raises:
            WouldBlock: none is here.
            ClosedError: the node or the receiver is closed.
        """
        while True:
            if not (self._server.waiting(self._desk.service) or self.left or self._ended):
                raise WouldBlock  # without the gate: who waits looks again inside
            with self.engine.gate:
                try:
                    incoming = self.advance()
                finally:
                    self.engine.flush()
            request = self.open_one(incoming)
            if request is not None:
                return request

    def quickly(self) -> Iterator[Request]:
        """Yield nothing: each request is taken inside the gate."""
        return iter(())

    def advance(self) -> Incoming:
        """Take the next request; inside the gate.

        Raises:
            WouldBlock: none is here.
            ClosedError: the node or the receiver is closed.
        """
        self.engine.check()
        if self.left or self._ended:
            raise ClosedError(f"the receiver of {self._desk.title} is closed")
        incoming = self._server.take(self._desk.service, self.engine.now())
        self._in_hand[incoming] = None
        return incoming

    def advance_many(self, limit: int) -> list[Incoming]:
        """Take what is here, at most ``limit``; inside the gate.

        Raises:
            WouldBlock, ClosedError: as ``advance``.
        """
        taken = [self.advance()]
        with suppress(WouldBlock):
            while len(taken) < limit:
                taken.append(self.advance())
        return taken

    def open_one(self, taken: Incoming) -> Request | None:
        """Decode a request; one that cannot be is answered so."""
        request = Request(self._desk, self, taken)
        try:
            request.data = self._desk.decode(taken.value)
        except DecodeError as error:
            _logger.error("a request for %r from %s cannot be decoded: %s", taken.service, request.sender, error)
            request.fail("DecodeError", str(error))
            return None
        return request

    def open_many(self, taken: list[Incoming]) -> list[Request]:
        """Decode requests."""
        return [request for request in map(self.open_one, taken) if request is not None]

    def settle(self) -> None:
        """Do nothing: a request is done when it is answered."""

    def rest(self) -> None:
        """Do nothing: requests come whether anybody asks or not."""

    def end(self) -> None:
        """Take no more requests; those in hand can be answered still."""
        self._ended = True
        self.engine.post(self._wake)

    def _wake(self) -> None:
        self._participant.woken.append((self._desk.key, _EVERYBODY))

    def leave(self) -> None:
        """Take no more, and let those in hand fail that nobody answered; from anywhere."""
        if not self.left:
            self.left = True
            self.engine.post(self._leave)

    def _leave(self) -> None:
        while self._in_hand:
            incoming, failure = self._in_hand.popitem()
            self._desk.unanswered(incoming, failure, "who took the request has left without an answer")

    def forget(self, incoming: Incoming) -> None:
        """Learn that a request is answered."""
        self._in_hand.pop(incoming, None)

    def note(self, incoming: Incoming, failure: Failure) -> None:
        """Learn why an answer could not be sent: where there is no other the caller is told that."""
        if incoming in self._in_hand:
            self._in_hand[incoming] = failure

    def drop(self, incoming: Incoming) -> None:
        """Learn that nobody holds a request any more; from anywhere, ``__del__`` too."""
        if incoming in self._in_hand:
            failure = self._in_hand.pop(incoming, None)
            self.engine.post(partial(self._desk.unanswered, incoming, failure, "the request was dropped"))
