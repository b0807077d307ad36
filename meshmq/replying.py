"""Services, as what a receiver takes from: requests, each answered exactly once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable
from typing import Any, Final

from meshmq import deadline
from meshmq.codecs.base import Codec
from meshmq.core.calls.incoming import Incoming
from meshmq.core.calls.server import Server
from meshmq.core.participant import Participant
from meshmq.errors import ClosedError, WouldBlock
from meshmq.handling import failure_of
from meshmq.links.engine import Engine
from meshmq.names import counted
from meshmq.request import Request
from meshmq.servant import Servant
from meshmq.supply import Taker
from meshmq.waiting import Wish
from meshmq.wire.calls import Failure, Value, pack_failure

#: How many handlers of one service are at work at once where nothing else is said.
HANDLERS: Final = min(32, 4 * (os.cpu_count() or 1))


class Requests:
    """The requests for one service; a ``Supply``."""

    def __init__(
        self,
        codec: Codec,
        service: str,
        *,
        idempotent: bool,
        shown: bool = True,
        asked: Callable[[], object] | None = None,
    ) -> None:
        self.service, self._codec = service, codec
        self._options: dict[str, Any] = {"idempotent": idempotent, "shown": shown, "asked": asked}
        self._engine: Engine | None = None
        self._participant: Participant | None = None

    @property
    def key(self) -> Hashable:
        """The line of those who wait for a request of this service."""
        return ("service", self.service)

    @property
    def title(self) -> str:
        """What words call it."""
        return f"service {self.service!r}"

    @property
    def answers(self) -> bool:
        """What a handler returns, or yields, is the answer."""
        return True

    def open(self, engine: Engine, participant: Participant) -> None:
        """Serve it.

        Raises:
            ConfigError: there is no room for one more name on the card.
        """
        self._engine, self._participant = engine, participant
        participant.calls.server.serve(self.service, engine.now(), **self._options)

    def close(self) -> None:
        """Serve it no more."""
        engine, participant = self.opened()
        participant.calls.server.unserve(self.service, engine.now())

    def taker(self, owner: object) -> Servant:
        """Return a new servant."""
        return Servant(self, owner)

    def waiting(self) -> int:
        """Return how many requests wait here."""
        return self._participant.calls.server.waiting(self.service) if self._participant is not None else 0

    def waits(self) -> bool:
        """Whether requests wait."""
        return self.waiting() > 0

    def ready(self, taker: Taker[Request]) -> Wish[Any]:
        """Wish that a request is here."""

        def attempt(now: float, since: float) -> None:
            if taker.left:
                raise ClosedError(f"the receiver of {self.title} is closed")
            if not self.waiting():
                raise WouldBlock

        return Wish(self.key, attempt, self.words, level=logging.INFO, takes=False)

    def words(self) -> str:
        """Say what who waits for a request waits for."""
        here = len(self._participant.roster) if self._participant is not None else 0
        return f"a request for {self.service!r}; {counted(here, 'peer')} here"

    # -- what handlers do ------------------------------------------------------------------------

    def began(self, item: Request, leave_off: Callable[[], object] | None) -> None:
        """Let what the handler asks itself be over in time, and have it interrupted when nobody waits any more."""
        deadline.inherit(item.timeout)
        if leave_off is not None:
            engine, participant = self.opened()
            with engine.gate:
                participant.calls.server.watch(item._incoming, leave_off)

    def returned(self, item: Request, value: object) -> None:
        """Answer.

        Raises:
            EncodeError: the value cannot be sent.
        """
        item.reply(value)

    def raised(self, item: Request, error: BaseException) -> int:
        """Answer with the failure; who asked is told all, so that it is no error here."""
        self.end(item, Failure(*failure_of(error), self.node_name()))
        return logging.DEBUG if item.cancelled else logging.INFO

    # -- what requests ask -----------------------------------------------------------------------

    def opened(self) -> tuple[Engine, Participant]:
        """Return what it was opened with.

        Raises:
            ClosedError: it never was.
        """
        if self._engine is None or self._participant is None:
            raise ClosedError(f"the receiver of {self.title} is not open")
        return self._engine, self._participant

    def node_name(self) -> str:
        """Return the name of this node."""
        return self.opened()[1].presence.card.name

    def encode(self, value: object) -> Value:
        """Return a value as it is sent.

        Raises:
            EncodeError: it cannot be.
        """
        return Value(*self._codec.encode(value))

    def decode(self, value: Value) -> object:
        """Return what was asked.

        Raises:
            DecodeError: it cannot be read.
        """
        return self._codec.decode(value.body, value.buffers)

    def end(self, item: Request, answer: Value | Failure | None) -> None:
        """End a request: with its value, a failure, or, where a stream is over, nothing; the first end counts.

        On a closed node nobody is told.
        """
        engine, participant = self.opened()
        failed, packed = (True, pack_failure(answer)) if isinstance(answer, Failure) else (False, answer)
        with engine.gate:
            item._over = True
            item._servant.forget(item._incoming)
            if not engine.closed:
                self._end(participant.calls.server, item._incoming, packed, engine.now(), failed=failed)
                engine.flush()

    def _end(self, server: Server, incoming: Incoming, packed: Value | None, now: float, *, failed: bool) -> None:
        if failed and packed is not None:
            server.fail(incoming, packed, now)
        elif packed is not None:
            server.answer(incoming, packed, now)
        else:
            server.end(incoming, now)

    def unanswered(self, incoming: Incoming, failure: Failure | None, why: str) -> None:
        """End a request that nobody can answer any more; inside the gate."""
        failure = failure or Failure("Unanswered", why, "", self.node_name())
        engine, participant = self.opened()
        self._end(participant.calls.server, incoming, pack_failure(failure), engine.now(), failed=True)

    def item_wish(self, item: Request, value: object) -> Wish[bool]:
        """Wish that the caller takes one more item of a stream; it comes true with whether anybody takes it.

        Raises:
            EncodeError: the value cannot be sent.
        """
        packed, server = self.encode(value), self.opened()[1].calls.server
        incoming = item._incoming

        def words() -> str:
            return f"{item.sender} to take more of the stream of {self.service!r}"

        def attempt(now: float, since: float) -> bool:
            return server.item(incoming, packed, now)

        return Wish(("demand", incoming.id), attempt, words, level=logging.INFO)
