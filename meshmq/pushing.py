"""Pushing, as far as it needs no waiting: what both faces share."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from meshmq import wishes
from meshmq.core.participant import Participant
from meshmq.core.trade import MadeOf
from meshmq.core.tray import ItemT, Tray
from meshmq.core.wants import PLAIN, Awaited, Outcome, Wants
from meshmq.errors import ClosedError, ConfigError, EncodeError
from meshmq.fate import UNIQUE_WINDOW, check_moment, check_span, check_text, check_wait, fate_of
from meshmq.holding import Holder
from meshmq.links.engine import Engine
from meshmq.names import check_name
from meshmq.waiting import Wish
from meshmq.wire.batches import Headers, check_headers

#: The options of a push that are not its fate.
_OWN: Final = frozenset({"delay", "at", "key", "unique", "unique_window"})


class Job(NamedTuple):
    """A job as it is pushed: encoded, with the only node that is to do it, and what it was made of."""

    queue: str
    body: bytes
    buffers: tuple[bytes, ...] = ()
    headers: Headers | None = None
    to: str | None = None
    made_of: MadeOf = ()
    wants: Wants = PLAIN


class BaseReceipt:
    """How a job that was pushed with ``receipt=True`` ends."""

    def __init__(self, node: Pusher, queue: str) -> None:
        self._node, self.queue = node, queue
        self._awaited = Awaited()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of a job of {self.queue!r}: {self.outcome or 'open'}>"

    @property
    def outcome(self) -> Outcome | None:
        """``"done"``, ``"dead"`` (a dead letter) or ``"expired"``; ``None`` as long as it is none of them."""
        return self._awaited.outcome

    @property
    def reason(self) -> str:
        """Why it is dead; "" where it is not."""
        return self._awaited.reason

    def _wish(self) -> Wish[Outcome]:
        return wishes.ended(self._node._participating(), self.queue, self._awaited)


class Pusher(Holder):
    """A node that encodes what it is given, and gives it to its participant."""

    def _job(
        self,
        queue: object,
        data: object,
        headers: Headers | None = None,
        to: str | None = None,
        made_of: MadeOf = (),
        wants: Wants = PLAIN,
    ) -> Job:
        return Job(check_name("queue", queue), *self._encode(data, headers), to, made_of, wants)

    def _encode(self, data: object, headers: Headers | None) -> tuple[bytes, tuple[bytes, ...], Headers | None]:
        body, buffers = self._codec.encode(data)
        if headers is not None:
            try:
                headers = check_headers(headers)
            except ValueError as error:
                raise EncodeError(str(error), "headers") from error
        return body, buffers, headers

    def _push_nowait(self, job: Job) -> int:
        engine, participant = self._engine, self._participant
        if engine is None or participant is None:
            engine, participant = self._opened()
        with engine.gate:
            if engine.closed or self._leaving:
                self._refuse_push(engine)
            number = _push(participant, job, engine.now())
            engine.flush()
        self._quick[job.queue] = participant.outboxes[job.queue]
        return number

    def _look_for(self, tray: Tray[ItemT], laid: ItemT) -> None:
        """Have that taken in which was laid on a tray when there was no more room; refuse it on a closed node."""
        engine, participant = self._engine, self._participant
        assert engine is not None  # maybe closed meanwhile, and then what was laid there may yet have been taken in
        assert participant is not None
        with engine.gate:
            closed = engine.closed or self._leaving
            withdrawn = closed and tray.withdraw(laid)
            if not closed:
                participant.clear_trays(engine.now())
                participant.work(engine.now())
                engine.flush()
        if withdrawn:
            raise ClosedError(f"node {self.name!r} is closed")

    def _push_wish(self, job: Job) -> Wish[int]:
        engine, participant = self._opened()

        def push(now: float) -> int:
            if self._leaving:
                self._refuse_push(engine)
            return _push(participant, job, now)

        return wishes.pushed(participant, job.queue, push, self.settings.patience)

    def _refuse_push(self, engine: Engine) -> None:
        engine.check()
        raise ClosedError(f"node {self.name!r} is being closed: nothing more can be pushed")


def wants_of(options: Mapping[str, object], *, to: str | None = None, awaited: Awaited | None = None) -> Wants:
    """Return what the options of a push say, which may be any.

    Raises:
        ConfigError: one cannot be used, or two of them together.
    """
    if not options and awaited is None:
        return PLAIN
    delay = check_wait("delay", options["delay"]) if "delay" in options else 0.0
    if "at" in options:
        if delay:
            raise ConfigError("push(delay=..., at=...): give one of them")
        delay = max(0.0, check_moment(options["at"]) - time.time())
    key, unique = options.get("key"), options.get("unique")
    if key is not None and (delay or to is not None):
        raise ConfigError(
            "push(key=...): jobs of one key go one after the other to the worker of the key: not at a "
            "moment of their own (delay=, at=), and to nobody else (to=)"
        )
    try:
        fate = fate_of(frozenset((name, value) for name, value in options.items() if name not in _OWN))
    except TypeError as error:
        unknown = sorted(options.keys() - _OWN)
        raise ConfigError(f"push(): options that are none, or have values that cannot be used: {unknown}") from error
    return Wants(
        fate,
        delay,
        check_text("key", key) if key is not None else None,
        check_text("unique", unique) if unique is not None else None,
        check_span("unique_window", options.get("unique_window", UNIQUE_WINDOW)),
        awaited,
    )


def _push(participant: Participant, job: Job, now: float) -> int:
    queue, body, buffers, headers, to, made_of, wants = job
    return participant.push(queue, body, buffers, headers, now, to, made_of, wants)
