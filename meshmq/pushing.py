"""Pushing, as far as it needs no waiting: what both faces share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from meshmq import deadline, wishes
from meshmq.codecs.base import Buffer
from meshmq.core.participant import Participant
from meshmq.core.trade import MadeOf
from meshmq.core.tray import ItemT, Tray
from meshmq.core.wants import PLAIN, Awaited, Outcome, Wants, wants_of
from meshmq.errors import ClosedError, ConfigError, EncodeError, MeshError
from meshmq.fate import JobOptions
from meshmq.holding import Holder
from meshmq.journal.base import Connection
from meshmq.journal.staging import stage
from meshmq.links.engine import Engine
from meshmq.names import check_name, counted
from meshmq.waiting import Wish
from meshmq.wire.headers import Headers, check_headers

#: How many durable jobs of one ``push_many`` are on their way to the disk at once.
RECORDED_TOGETHER: Final = 1_000


class Job(NamedTuple):
    """A job as it is pushed: encoded, with the only node that is to do it, and what it was made of."""

    queue: str
    body: bytes
    buffers: tuple[Buffer, ...] = ()
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

    #: What the wall clock shows.
    _wall: Callable[[], float] = staticmethod(time.time)

    def _job_of(
        self,
        queue: str,
        data: object,
        headers: Headers | None,
        to: str | None,
        options: JobOptions,
        ticket: BaseReceipt | None,
    ) -> Job | None:
        """Return the job that a push with options is of; ``None`` where it is a part of a user's own transaction."""
        if options.get("within") is not None:
            self._push_within(queue, data, headers, to, options, receipt=ticket is not None)
            return None
        wants = self._wants(options, to, ticket)
        return self._job(queue, data, headers, to, (), wants, copy=options.get("copy", True))

    def _job(
        self,
        queue: object,
        data: object,
        headers: Headers | None = None,
        to: str | None = None,
        made_of: MadeOf = (),
        wants: Wants = PLAIN,
        *,
        copy: bool = True,
    ) -> Job:
        return Job(check_name("queue", queue), *self._encode(data, headers, copy=copy), to, made_of, wants)

    def _encode(
        self, data: object, headers: Headers | None, *, copy: bool = True
    ) -> tuple[bytes, tuple[Buffer, ...], Headers | None]:
        if type(copy) is not bool:
            raise ConfigError(f"copy={copy!r}: it is True or False")
        body, buffers = self._codec.encode(data, copy=copy)
        if headers is not None:
            try:
                headers = check_headers(headers)
            except ValueError as error:
                raise EncodeError(str(error), "headers") from error
        return body, buffers, headers

    def _wants(self, options: Mapping[str, object], to: str | None = None, ticket: BaseReceipt | None = None) -> Wants:
        """Return what the options of a push say.

        Raises:
            ConfigError: one cannot be used, or two of them together; there is no journal for what is to be durable.
        """
        if not options and ticket is None:
            return PLAIN
        wants = wants_of(options, wall=self._wall(), to=to, awaited=ticket._awaited if ticket is not None else None)
        if wants.fate.durable and self._journal is None:
            raise ConfigError(
                "push(durable=True): this node has no journal: give it one, Node(NAME, journal=FILE), "
                "or set MESHMQ_JOURNAL"
            )
        return wants

    def _push_nowait(self, job: Job) -> int:
        engine, participant = self._engine, self._participant
        if engine is None or participant is None:
            engine, participant = self._opened()
        with engine.gate:
            if engine.closed or self._leaving:
                self._refuse_push(engine)
            number = _push(participant, job, engine.now())
            engine.flush()
        self._quick[job.queue] = participant.outboxes[job.queue].tray
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

    def _push_within(
        self,
        queue: str,
        data: object,
        headers: Headers | None,
        to: str | None,
        options: JobOptions,
        *,
        receipt: bool,
    ) -> None:
        """Push as a part of a user's own transaction."""
        connection = options["within"]
        rest: JobOptions = {**options}
        del rest["within"]
        rest.pop("copy", None)
        if receipt:
            raise ConfigError("push(within=..., receipt=True): the job is there when the transaction is committed")
        if self._journal is None or not _is_file(connection, self._journal):
            raise ConfigError("push(within=...): it is a connection to the file that is this node's journal")
        self._opened()  # it makes the tables
        stage(connection, queue, data, headers=headers, to=to, **rest)
        if self._recorder is not None:
            self._recorder.look()

    def _record_wish(self, job: Job) -> Wish[None]:
        return wishes.recorded(self._participating(), job.queue, job.wants)

    def _withdraw_job(self, job: Job, number: int) -> bool:
        """Take back a durable job that is not on disk yet; whether that was possible."""
        engine, participant = self._engine, self._participant
        if engine is None or participant is None or engine.closed:
            return True
        with engine.gate:
            withdrawn = participant.withdraw(job.queue, number, job.wants, engine.now())
            engine.flush()
        return withdrawn

    def _withdraw_jobs(self, pushed: Iterable[tuple[Job, int]]) -> int:
        """Take back durable jobs that are not on disk yet; returns how many are, the first ones.

        The last goes first: else the disk could take, meanwhile, what comes after one that is gone.
        """
        given = list(pushed)
        for job, number in reversed(given):
            self._withdraw_job(job, number)
        return sum(job.wants.entry is not None and job.wants.entry.safe for job, _ in given)

    def _refuse_push(self, engine: Engine) -> None:
        engine.check()
        raise ClosedError(f"node {self.name!r} is being closed: nothing more can be pushed")


def _is_file(connection: Connection, path: str) -> bool:
    """Whether a connection's main database is that file."""
    try:
        rows = list(connection.execute("PRAGMA database_list", ()))
        return Path(next(str(row[2]) for row in rows if row[1] == "main")).samefile(path)
    except (AttributeError, OSError, StopIteration, IndexError):
        return False


def tell_pushed(error: BaseException, count: int) -> None:
    """Have an error that ends a ``push_many`` say how many jobs it has pushed."""
    error.add_note(f"push_many: {counted(count, 'job')} had been pushed, the first ones")
    if isinstance(error, MeshError):
        error.pushed = count


def until_of(timeout: float | None) -> float | None:
    """Return the moment at which a timeout is over."""
    return None if timeout is None else deadline.now() + timeout


def left_of(until: float | None) -> float | None:
    """Return how much of a timeout is left."""
    return None if until is None else max(0.0, until - deadline.now())


def _push(participant: Participant, job: Job, now: float) -> int:
    queue, body, buffers, headers, to, made_of, wants = job
    return participant.push(queue, body, buffers, headers, now, to, made_of, wants)
