"""The face for asyncio tasks: waiting and nothing else. The names are those of ``blocking``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self, Unpack

from meshmq import wishes
from meshmq.checks import Ack, check_ack, check_concurrency, check_timeout
from meshmq.core.roster import Event
from meshmq.errors import ClosedError, TimedOut
from meshmq.faces.aio_publishing import AsyncPublishingNode
from meshmq.faces.aio_queues import AsyncQueue
from meshmq.faces.aio_receiving import AsyncReceiver
from meshmq.faces.threads import tell_left
from meshmq.fate import QueueOptions
from meshmq.message import AsyncMessage
from meshmq.names import check_name
from meshmq.pulling import Jobs
from meshmq.seeing import PeerView
from meshmq.supply import Supply
from meshmq.waiting import ends_quietly


class AsyncNode(AsyncPublishingNode):
    """One participant of a mesh, awaited; used from one event loop at a time, the one it was opened in.

    ``AsyncNode(...)`` only remembers; it opens at ``async with``, ``open()`` or its first use. See
    ``BaseNode`` for the arguments.
    """

    async def open(self) -> Self:
        """Open the node: bind, announce, find others. Never waits for peers; twice is once.

        Raises:
            LinkError: an address or the private directory cannot be opened.
            ClosedError: it was closed before.
        """
        if self._engine is None and self._journal is not None:
            await asyncio.to_thread(self._open_journal)
        self._opened()
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
        else:
            try:
                await self.close(self.settings.drain)
            except Exception as left:
                tell_left(self, left)

    async def close(self, timeout: float | None = None) -> None:
        """Leave: let handlers finish, wait until every job pushed here is confirmed, say goodbye, close.

        Waits as long as there is progress (an ack, a job in the hands of a living worker, a handler that is
        done) and ``settings.drain`` seconds beyond; ``timeout`` is a hard limit, 0 waits for nothing. What
        this node pulled and has in hand then goes back to its pusher.

        Raises:
            Undelivered: jobs were left; it says how many, and what helps.
        """
        await self._leave(check_timeout(timeout))

    # -- the verbs -------------------------------------------------------------------------------

    def pull(
        self,
        queue: str,
        *,
        prefetch: int | None = None,
        ack: Ack = "done",
        idle: float | None = None,
        concurrency: int | None = None,
        lease: float | None = None,
    ) -> AsyncReceiver[AsyncMessage]:
        """Take jobs of ``queue``, from now on or from when the node opens.

        Iterate over what is returned, or await its ``receive``, or decorate a handler with it: one that returns
        acks, one that raises nacks, and ``concurrency`` of them (default: 1, in order) are at work at once.

        ``prefetch`` fixes how many jobs are here at once, those in hand included (default: about 0.1 s
        of work, as measured): 1 fetches none ahead. Each loop or thread that asks has one at least; of
        several pulls of one queue the first fixes it.
        ``ack="receipt"`` acks each job when it is handed out, so that it is run at most once;
        Who has begun a job and neither finishes nor extends within ``lease`` seconds loses it to another worker; a
        job that brings a lease of its own has the shorter one. Each receiver has a lease of its own.
        ``idle`` ends the iteration after so many seconds without a job. A receiver that is dropped without
        ``close`` takes nothing more, and the node goes on pulling the queue.

        Raises:
            ClosedError: the node is closed.
        """
        jobs: Supply[Any] = Jobs(
            self._codec, self, check_name("queue", queue), prefetch=prefetch, receipt=check_ack(ack), lease=lease
        )
        return AsyncReceiver(self, jobs, check_timeout(idle), check_concurrency(concurrency, 1))

    def queue(self, queue: str, **options: Unpack[QueueOptions]) -> AsyncQueue:
        """Return the handle of a queue: what its options say holds for every job that is pushed by it.

        Raises:
            ConfigError: an option cannot be used.
        """
        return AsyncQueue(self, check_name("queue", queue), options)

    # -- seeing ----------------------------------------------------------------------------------

    async def wait_for(
        self,
        *,
        pull: str | None = None,
        subscribe: str | None = None,
        reply: str | None = None,
        count: int = 1,
        timeout: float | None = None,
    ) -> list[PeerView]:
        """Wait until ``count`` nodes pull a queue, get what this one publishes to a topic, or serve a name.

        This node counts, too; returns the peers among them.

        Raises:
            ConfigError: not one of ``pull``, ``subscribe`` and ``reply``, no name, or ``count`` no whole number
                from 1; the node is not opened.
            TimedOut: not so many in time.
            ClosedError: the node is closed.
        """
        limit = check_timeout(timeout)
        return await self._wait(self._takers_wish(count, pull=pull, subscribe=subscribe, reply=reply), limit)

    async def settle(self, timeout: float | None = None) -> None:
        """Wait until discovery has had its first answers.

        Raises:
            TimedOut: not in time.
            ClosedError: the node is closed.
        """
        await self._wait(self._settled_wish(), check_timeout(timeout))

    async def events(self, timeout: float | None = None) -> AsyncIterator[Event]:
        """Iterate over what happens to the roster, from the oldest event kept (1,000).

        Ends quietly when the node is closed, and after ``timeout`` seconds without an event.

        Raises:
            ClosedError: the node broke.
        """
        wish, limit = wishes.event(self._participating(), [0]), check_timeout(timeout)
        while True:
            try:
                event = await self._wait(wish, limit)
            except (ClosedError, TimedOut) as error:
                if not ends_quietly(error):
                    raise
                return
            yield event

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until every job pushed here is confirmed.

        Raises:
            TimedOut: not in time.
            ClosedError: the node is closed.
        """
        await self._wait(wishes.flushed(self._participating(), None), check_timeout(timeout))
