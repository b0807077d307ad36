"""Receivers for asyncio tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Generic, Self

from meshmq.checks import check_limit, check_timeout
from meshmq.errors import ClosedError, TimedOut
from meshmq.faces.aio_crews import TaskCrew
from meshmq.faces.receivers import BaseReceiver
from meshmq.faces.tasks import TURN_AFTER, TaskNode, take
from meshmq.handling import Crew, Handler
from meshmq.supply import ItemT, Supply, Taker
from meshmq.waiting import Wish, ends_quietly


class AsyncReceiver(BaseReceiver[ItemT]):
    """What ``pull``, ``subscribe`` and ``reply`` return: iterate, or ``receive``.

    Of a queue: asking for the next job acks the one before. Leaving the loop acks nothing: the job in
    hand goes back as a possible repeat, those only fetched go back at once, in order. Several tasks may
    iterate at once; each has its own job in hand. Those that share ``receive`` share it: whoever asks acks
    what the others hold. A cancelled wait takes nothing.
    """

    _node: TaskNode

    _may_be_async = True

    def __init__(self, node: TaskNode, supply: Supply[ItemT], idle: float | None, concurrency: int) -> None:
        super().__init__(node, supply, idle, concurrency)

    def _new_crew(self, handler: Handler) -> Crew[Any, ItemT]:
        if handler.is_async:
            return TaskCrew(self._node, handler, self._supply, self._new_place, self._concurrency)
        return super()._new_crew(handler)

    def __aiter__(self) -> AsyncLoop[ItemT]:
        return AsyncLoop(self)

    async def receive(self, timeout: float | None = None) -> ItemT:
        """Be done with the one before and return the next; ``timeout=0`` never waits.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
            InUseError: the receiver has a handler.
        """
        seconds = check_timeout(timeout)
        return await take(self._node, self._supply, self._shared or self._ask(), seconds)

    async def receive_many(self, limit: int, timeout: float | None = None) -> list[ItemT]:
        """Be done with what was received before and return at least one, at most ``limit``.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
            InUseError: the receiver has a handler.
        """
        check_limit(limit)
        seconds = check_timeout(timeout)
        supply, taker = self._supply, self._shared or self._ask()
        await self._node._take_turn()
        wish: Wish[Any] = Wish(supply.key, lambda *_: taker.advance_many(limit), supply.words, level=logging.INFO)
        while True:
            try:
                items = taker.open_many(await self._node._wait(wish, seconds))
            except (TimedOut, asyncio.CancelledError):
                taker.rest()
                raise
            if items:
                return items

    async def ready(self, timeout: float | None = None) -> Any:
        """Wait until there is something to take: of a queue a job, of a service a request.

        Raises:
            TimedOut: not in time.
            ClosedError: the node or the receiver is closed.
            InUseError: the receiver has a handler.
        """
        seconds = check_timeout(timeout)
        return await self._node._wait(self._supply.ready(self._shared or self._ask()), seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self.closed and self._shared is not None:
            self._shared.settle()
        self.close()


class AsyncLoop(Generic[ItemT]):
    """One loop over a receiver, with its own item in hand."""

    __slots__ = ("_node", "_quick", "_receiver", "_taker")

    def __init__(self, receiver: AsyncReceiver[ItemT]) -> None:
        self._receiver, self._node = receiver, receiver._node
        self._taker: Taker[ItemT] | None = None
        #: What is in hand already.
        self._quick: Iterator[ItemT] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        node = self._node
        node._turn += 1
        if node._turn >= TURN_AFTER:
            await node._take_turn_in_time()
        for item in self._quick:
            return item
        receiver = self._receiver
        try:
            if self._taker is None:
                self._taker = receiver._new_loop()
            item = await take(node, receiver._supply, self._taker, receiver._idle)
            self._quick = self._taker.quickly()
            return item
        except (ClosedError, TimedOut) as error:
            if not ends_quietly(error):
                raise
            self._leave()
            raise StopAsyncIteration from None

    def _leave(self) -> None:
        if self._taker is not None:
            self._taker.leave()

    def __del__(self) -> None:
        self._leave()
