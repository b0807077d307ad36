"""Pushing, as far as it needs no waiting: what both faces share."""

from __future__ import annotations

from meshmq import wishes
from meshmq.core.participant import Participant
from meshmq.core.trade import MadeOf
from meshmq.core.tray import ItemT, Tray
from meshmq.errors import ClosedError, EncodeError
from meshmq.holding import Holder
from meshmq.links.engine import Engine
from meshmq.names import check_name
from meshmq.waiting import Wish
from meshmq.wire.batches import Headers, check_headers

#: Queue, body, buffers, headers, the only node that is to do it, what it was made of.
Job = tuple[str, bytes, tuple[bytes, ...], Headers | None, str | None, MadeOf]


class Pusher(Holder):
    """A node that encodes what it is given, and gives it to its participant."""

    def _job(
        self, queue: object, data: object, headers: Headers | None = None, to: str | None = None, made_of: MadeOf = ()
    ) -> Job:
        return (check_name("queue", queue), *self._encode(data, headers), to, made_of)

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
        self._quick[job[0]] = participant.outboxes[job[0]]
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

        return wishes.pushed(participant, job[0], push, self.settings.patience)

    def _refuse_push(self, engine: Engine) -> None:
        engine.check()
        raise ClosedError(f"node {self.name!r} is being closed: nothing more can be pushed")


def _push(participant: Participant, job: Job, now: float) -> int:
    queue, body, buffers, headers, to, made_of = job
    return participant.push(queue, body, buffers, headers, now, to, made_of)
