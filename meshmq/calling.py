"""What both faces do with a call but the waiting: check what is asked, begin, leave off, open what came back."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, Final

from meshmq import deadline
from meshmq.checks import check_timeout
from meshmq.codecs.base import Codec
from meshmq.core.calls import endings
from meshmq.core.calls.call import Asking, Call, Outcome
from meshmq.core.calls.survey import Survey
from meshmq.core.participant import Participant
from meshmq.errors import ConfigError, DecodeError, MeshError, RemoteError, WouldBlock
from meshmq.links.engine import Engine
from meshmq.settings import Settings
from meshmq.waiting import Wish
from meshmq.wire.calls import Value

#: Seconds, ``None`` to wait as long as it takes, ``...`` for ``settings.request_timeout``.
Timeout = float | EllipsisType | None
#: What sticks to one server.
Key = str | bytes | int
RETRIES_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What one server said to a survey: ``data``, or why there is none."""

    data: Any
    """What its handler returned; ``None`` where there is an error."""
    sender: str
    """The name of the node that was asked."""
    id: str
    """Its id in hex."""
    error: MeshError | None = None
    """``RemoteError``, ``PeerLost``, ``RequestRefused``, or ``TimedOut`` where it has not answered in time."""


def check_asking(
    settings: Settings,
    service: str,
    value: Value,
    headers: Mapping[str, str] | None,
    *,
    timeout: Timeout = ...,
    retries: int = 0,
    idempotent: bool = False,
    stream: bool = False,
    key: Key | None = None,
    to: str | None = None,
) -> Asking:
    """Return what is asked; a nested request is over when the one that is handled here just now is.

    Raises:
        ConfigError: something of it cannot be.
    """
    seconds = settings.request_timeout if isinstance(timeout, EllipsisType) else check_timeout(timeout)
    if type(retries) is not int or not 0 <= retries <= RETRIES_LIMIT:
        raise ConfigError(f"request(retries={retries!r}): it is a whole number from 0 to {RETRIES_LIMIT:,}")
    if retries and not idempotent:
        raise ConfigError(f"request(retries={retries}) needs idempotent=True: what is asked again may run again")
    if retries and seconds is None:
        raise ConfigError(f"request(retries={retries}, timeout=None): each attempt has its share of a timeout")
    return Asking(
        service,
        value,
        headers,
        deadline.within(seconds),
        retries,
        bool(idempotent),
        stream,
        None if key is None else _key(key),
        None if to is None else _to(to),
    )


def _to(to: object) -> str:
    if not isinstance(to, str) or not to:
        raise ConfigError(f"request(to={to!r}): it is the name of a node, or its id in hex")
    return str.__str__(to)


def _key(key: object) -> bytes:
    if isinstance(key, bytes):
        return bytes(key)
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise ConfigError(f"request(key={key!r}): it is a str, bytes or int")
    text = str.__str__(key) if isinstance(key, str) else str(int(key))
    return text.encode("utf-8", "surrogatepass")


class Pending:
    """One request, from the first ask until it is over."""

    def __init__(self, engine: Engine, participant: Participant, codec: Codec, asking: Asking) -> None:
        self._engine, self._participant, self._codec = engine, participant, codec
        self._asking, self._key = asking, _new_key()
        self._call: Call | None = None

    def wish(self) -> Wish[Outcome]:
        """Wish for the answer: the first attempt asks, and the end of its time is an outcome, too."""
        level = logging.WARNING if self._asking.timeout is None else logging.INFO
        return Wish(self._key, self._attempt, self._words, level=level)

    def _attempt(self, now: float, since: float) -> Outcome:
        if self._call is None:
            self._call = self._participant.calls.caller.begin(self._asking, now, self._key)
        if self._call.outcome is None:
            raise WouldBlock
        return self._call.outcome

    def _words(self) -> str:
        return _words(self._participant, self._call, self._asking)

    def leave(self) -> None:
        """Give it up where it is not over: whoever runs it is told."""
        call = self._call
        if call is not None and call.outcome is None:
            with self._engine.gate:
                if not self._engine.closed:
                    self._participant.calls.caller.cancel(call, self._engine.now())
                    self._engine.flush()

    def open(self, outcome: Outcome) -> Any:
        """Return the answer, decoded.

        Raises:
            RemoteError: the handler failed, or the answer cannot be decoded.
            MeshError: whatever else it ended by.
        """
        return open_outcome(self._participant, self._codec, outcome)


class PendingSurvey:
    """One survey, from the first ask until it is over."""

    def __init__(self, engine: Engine, participant: Participant, codec: Codec, asking: Asking) -> None:
        self._engine, self._participant, self._codec = engine, participant, codec
        self._asking, self._key = asking, _new_key()
        self._survey: Survey | None = None

    def wish(self) -> Wish[Survey]:
        """Wish for all answers; looks again now and then, for nobody tells when discovery is settled."""
        level = logging.WARNING if self._asking.timeout is None else logging.INFO
        return Wish(self._key, self._attempt, self._words, retry=0.05, level=level)

    def _attempt(self, now: float, since: float) -> Survey:
        surveys = self._participant.calls.surveys
        if self._survey is None:
            self._survey = surveys.begin(self._asking, now, self._key)
        if not surveys.over(self._survey, now):
            raise WouldBlock
        return self._survey

    def _words(self) -> str:
        calls = list(self._survey.calls.values()) if self._survey is not None else []
        missing = sum(call.outcome is None for call in calls)
        return f"{missing} of {len(calls)} answers of {self._asking.service!r}, and for discovery to settle"

    def leave(self) -> None:
        """Give it up where it is not over: whoever runs it is told."""
        if self._survey is not None and self._participant.calls.surveys.goes_on(self._survey):
            with self._engine.gate:
                if not self._engine.closed:
                    self._participant.calls.surveys.end(self._survey, self._engine.now())
                    self._engine.flush()

    def open(self, survey: Survey) -> list[Answer]:
        """Return all answers, decoded, in the order in which the servers were asked."""
        answers: list[Answer] = []
        for peer, call in survey.calls.items():
            who = self._participant.name_of(peer)
            try:
                assert call.outcome is not None
                data = open_outcome(self._participant, self._codec, call.outcome)
                answers.append(Answer(data, who, peer.hex()))
            except MeshError as error:
                answers.append(Answer(None, who, peer.hex(), error))
        return answers


class PendingStream:
    """One stream, from the ask, which is made here, until it is over or left."""

    def __init__(self, engine: Engine, participant: Participant, codec: Codec, asking: Asking) -> None:
        self._engine, self._participant, self._codec = engine, participant, codec
        self._asking, self._key = asking, _new_key()
        with engine.gate:
            engine.check()
            self._call = participant.calls.caller.begin(asking, engine.now(), self._key)
            engine.flush()
        self.left = False

    def wish(self) -> Wish[Value | None]:
        """Wish for the next item, encoded, ``None`` after the last."""
        level = logging.WARNING if self._asking.timeout is None else logging.INFO
        return Wish(self._key, self._attempt, self._words, level=level)

    def _attempt(self, now: float, since: float) -> Value | None:
        if self.left:
            return None
        return self._participant.calls.caller.next_item(self._call, since, now)

    def _words(self) -> str:
        return _words(self._participant, self._call, self._asking)

    def leave(self) -> None:
        """Have nothing more of it: its handler is cancelled. From anywhere, ``__del__`` too; twice is once."""
        if not self.left:
            self.left = True
            if self._call.outcome is None and not self._engine.forked:
                self._engine.post(self._leave)

    def _leave(self) -> None:
        self._participant.calls.caller.cancel(self._call, self._engine.now())

    def open(self, value: Value) -> Any:
        """Return an item, decoded.

        Raises:
            RemoteError: it cannot be.
        """
        return _decode(self._participant, self._codec, value, _server(self._call))


def _new_key() -> Hashable:
    """Return what a call wakes. The pending one itself would do, but the two would hold each other.

    What is large in them would then stay until the interpreter looks for such rings, and looking took 1 ms of each
    hundredth request.
    """
    return object()


def open_outcome(participant: Participant, codec: Codec, outcome: Outcome) -> Any:
    """Return the answer of a call that is over, decoded.

    Raises:
        MeshError: whatever it ended by.
    """
    if outcome.error is not None:
        raise outcome.error
    assert outcome.answer is not None
    assert outcome.peer is not None
    return _decode(participant, codec, outcome.answer.value, outcome.peer)


def _decode(participant: Participant, codec: Codec, value: Value, peer: bytes | None) -> Any:
    try:
        return codec.decode(value.body, value.buffers)
    except DecodeError as error:
        node = participant.name_of(peer) if peer is not None else ""
        raise RemoteError("DecodeError", f"its answer cannot be decoded here: {error}", node=node) from error


def _server(call: Call) -> bytes | None:
    return call.outcome.peer if call.outcome is not None else next(iter(list(call.asked)), None)


def _words(participant: Participant, call: Call | None, asking: Asking) -> str:
    return endings.awaited(participant, call) if call is not None else f"room to ask {asking.service!r}"
