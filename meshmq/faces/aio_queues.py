"""A queue's handle, for asyncio tasks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, Unpack, overload

from meshmq import wishes
from meshmq.checks import Ack, check_timeout
from meshmq.faces.aio_pushing import AsyncReceipt
from meshmq.faces.aio_receiving import AsyncReceiver
from meshmq.faces.base_queue import BaseQueue
from meshmq.fate import JobOptions
from meshmq.message import AsyncMessage
from meshmq.pushing import tell_pushed
from meshmq.wire.headers import Headers

if TYPE_CHECKING:
    from meshmq.faces.aio import AsyncNode


class AsyncQueue(BaseQueue):
    """A node's handle of one queue; the verbs on ``AsyncNode`` are its shorthand.

    Its options hold for every job that is pushed by it, unless the push says otherwise, and its lease for who pulls
    by it.
    """

    _node: AsyncNode

    @overload
    async def push(
        self,
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
        data: object,
        *,
        headers: Headers | None = None,
        timeout: float | None = None,
        to: str | None = None,
        receipt: bool = False,
        **options: Unpack[JobOptions],
    ) -> AsyncReceipt | None:
        """Give a job to exactly one worker; see ``AsyncNode.push``.

        Raises:
            EncodeError, TimedOut, NoPeersError, AmbiguousPeer, NotUnique, ConfigError, ClosedError: as the
                verb of ``AsyncNode``.
        """
        wanted: JobOptions = {**self._options, **options}
        if receipt:
            return await self._node.push(
                self.name, data, headers=headers, timeout=timeout, to=to, receipt=True, **wanted
            )
        await self._node.push(self.name, data, headers=headers, timeout=timeout, to=to, **wanted)
        return None

    async def push_many(
        self, values: Iterable[object], *, timeout: float | None = None, **options: Unpack[JobOptions]
    ) -> int:
        """Push each of ``values``; returns how many. ``timeout`` counts for each, ``options`` hold for all.

        Raises:
            EncodeError, TimedOut, NoPeersError, ConfigError, ClosedError: as ``AsyncNode.push``; what was pushed before
                stays pushed, and the error's ``pushed`` says how many that are: the first ones.
        """
        check_timeout(timeout)
        wanted: JobOptions = {**self._options, **options}
        if wanted.get("durable"):
            return await self._node._push_durably(self._jobs(values, wanted), timeout)
        count = 0
        try:
            for value in values:
                await self._node.push(self.name, value, timeout=timeout, **wanted)
                count += 1
        except BaseException as error:
            tell_pushed(error, count)
            raise
        return count

    def pull(
        self,
        *,
        prefetch: int | None = None,
        ack: Ack = "done",
        idle: float | None = None,
        concurrency: int | None = None,
        lease: float | None = None,
    ) -> AsyncReceiver[AsyncMessage]:
        """Take jobs; see ``AsyncNode.pull``. ``lease`` is the queue's where none is given.

        Raises:
            ClosedError: the node is closed.
        """
        held = self._lease(lease)
        return self._node.pull(self.name, prefetch=prefetch, ack=ack, idle=idle, concurrency=concurrency, lease=held)

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until every job pushed into this queue is confirmed, or ended otherwise.

        Raises:
            TimedOut: not in time.
            ClosedError: the node is closed.
        """
        await self._node._wait(wishes.flushed(self._node._participating(), self.name), check_timeout(timeout))
