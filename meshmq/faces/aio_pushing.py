"""Pushing, for asyncio tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import ClassVar, Literal, Unpack, overload

from meshmq.checks import check_timeout
from meshmq.core.trade import MadeOf
from meshmq.core.tray import TRAY_BYTES
from meshmq.core.wants import Outcome
from meshmq.errors import TimedOut, WouldBlock
from meshmq.faces.aio_calling import AsyncCallingNode
from meshmq.faces.tasks import TURN_AFTER
from meshmq.fate import JobOptions
from meshmq.message import AsyncMessage, Message
from meshmq.pushing import RECORDED_TOGETHER, BaseReceipt, Job, left_of, tell_pushed, until_of
from meshmq.wire.headers import Headers


class AsyncReceipt(BaseReceipt):
    """How a job that was pushed with ``receipt=True`` ends."""

    _node: AsyncPushingNode

    async def wait(self, timeout: float | None = None) -> Outcome:
        """Wait until the job has ended; returns ``"done"``, ``"dead"`` or ``"expired"``.

        Raises:
            TimedOut: it has not ended in time; it goes on.
            ClosedError: the node is closed, and the job had not ended.
        """
        limit = check_timeout(timeout)
        return self.outcome if self.outcome is not None else await self._node._wait(self._wish(), limit)


class AsyncPushingNode(AsyncCallingNode):
    """The verb of a node with which it pushes."""

    _messages: ClassVar[type[Message]] = AsyncMessage

    @overload
    async def push(
        self,
        queue: str,
        data: object,
        *,
        headers: Headers | None = ...,
        timeout: float | None = ...,
        to: str | None = ...,
        receipt: Literal[False] = ...,
        **options: Unpack[JobOptions],
    ) -> None: ...

    @overload
    async def push(
        self,
        queue: str,
        data: object,
        *,
        headers: Headers | None = ...,
        timeout: float | None = ...,
        to: str | None = ...,
        receipt: Literal[True],
        **options: Unpack[JobOptions],
    ) -> AsyncReceipt: ...

    async def push(
        self,
        queue: str,
        data: object,
        *,
        headers: Headers | None = None,
        timeout: float | None = None,
        to: str | None = None,
        receipt: bool = False,
        **options: Unpack[JobOptions],
    ) -> AsyncReceipt | None:
        """Give a job to exactly one worker of ``queue``; it is kept here until a worker has confirmed it.

        Waits only while the queue's outbox is full; ``timeout=0`` never waits. ``data`` is copied
        before the call returns. ``to`` names the only node that is to do it (or gives its id in hex); it waits
        here until that one pulls the queue. With ``receipt=True`` it returns a receipt that tells how the job ends.
        Cancelled, it has pushed nothing. ``options`` are as for ``Node.push``.

        A durable job is pushed once it is on disk. A call that ends before, by its ``timeout`` or because it is
        cancelled, takes it back; but where it is cancelled in the moment in which the disk had it, it is pushed, and
        after a crash in such a moment it comes back. With ``unique=`` a second try is refused then.

        Raises:
            EncodeError: ``data`` would not come back equal; nothing was pushed.
            TimedOut: the outbox stayed full, or the disk did not take a durable job in time; nothing was pushed.
            NoPeersError: it is full and nobody has pulled it for ``settings.patience``.
            AmbiguousPeer: several nodes are named ``to``; nothing was pushed.
            NotUnique: a job with this ``unique`` was pushed before; nothing was pushed.
            ConfigError: an option cannot be used.
            ClosedError: the node is closed.
        """
        if timeout is not None:
            timeout = check_timeout(timeout)
        self._turn += 1
        if self._turn >= TURN_AFTER:
            await self._take_turn_in_time()
        if headers is None and to is None and not options and not receipt:
            # As most are, on a line that is busy: without the lock, and nothing is made but the body.
            engine, tray = self._engine, self._quick.get(queue) if type(queue) is str else None
            if engine is not None and tray is not None and len(tray.jobs) < tray.room:
                body = self._codec.encode_plain(data)
                if body is not None and len(body) <= TRAY_BYTES and not engine.closed:
                    tray.jobs.append(body)
                    if not tray.room:
                        self._look_for(tray, body)
                    return None
                if body is not None:
                    await self._push(Job(queue, body), timeout)
                    return None
        ticket = AsyncReceipt(self, queue) if receipt else None
        job = self._job_of(queue, data, headers, to, options, ticket)
        if job is not None:
            await self._push(job, timeout)
        return ticket

    async def _push_made(
        self,
        made_of: MadeOf,
        queue: str,
        data: object,
        *,
        headers: Headers | None,
        timeout: float | None,
        to: str | None,
        **options: Unpack[JobOptions],
    ) -> None:
        """Push what was made of jobs in hand; see ``Message.push``."""
        limit = check_timeout(timeout)
        await self._push(
            self._job(queue, data, headers, to, made_of, self._wants(options, to), copy=options.get("copy", True)),
            limit,
        )

    async def _push(self, job: Job, timeout: float | None) -> None:
        until = until_of(timeout)
        await self._await_record(job, await self._put(job, timeout), until)

    async def _put(self, job: Job, timeout: float | None) -> int:
        with suppress(WouldBlock):
            return self._push_nowait(job)
        return await self._wait(self._push_wish(job), timeout)

    async def _await_record(self, job: Job, number: int, until: float | None) -> None:
        """Wait until a durable job is on disk; one that is given up before is not pushed."""
        if job.wants.entry is None:
            return
        try:
            await self._wait(self._record_wish(job), left_of(until))
        except BaseException as error:
            withdrawn = self._withdraw_job(job, number)
            if withdrawn or not (isinstance(error, TimedOut) and job.wants.entry.safe):
                raise

    async def _push_durably(self, jobs: Iterable[Job], timeout: float | None) -> int:
        """Push jobs, and wait once until all are on disk; returns how many. What is not when it ends is taken back."""
        count = 0
        pushed = deque[tuple[Job, int]]()
        rest = iter(jobs)
        try:
            while True:
                for job in islice(rest, RECORDED_TOGETHER - len(pushed)):
                    pushed.append((job, await self._put(job, timeout)))
                if not pushed:
                    return count
                await self._wait(self._record_wish(pushed[0][0]), timeout)
                pushed.popleft()
                count += 1
        except BaseException as error:
            tell_pushed(error, count + self._withdraw_jobs(pushed))
            raise
