"""Jobs of one queue, for asyncio tasks."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from meshmq import wishes
from meshmq.checks import Ack, check_ack, check_limit, check_timeout
from meshmq.consumer import Consumer
from meshmq.errors import ClosedError, TimedOut, WouldBlock
from meshmq.faces.tasks import TURN_AFTER, TaskNode
from meshmq.message import Message
from meshmq.waiting import Wish, ends_quietly

ResultT = TypeVar("ResultT")


class AsyncReceiver:
    """Jobs of one queue: iterate, or ``receive``. Asking for the next job acks the one before.

    Leaving the loop acks nothing: the job in hand goes back as a possible repeat, those only fetched
    go back at once, in order. Several tasks may iterate at once; each has its own job in hand. Those
    that share ``receive`` share it: whoever asks acks what the others hold. A cancelled wait takes nothing.
    """

    def __init__(self, node: TaskNode, queue: str, prefetch: int | None, ack: Ack, idle: float | None) -> None:
        self._node, self.queue, self._idle = node, queue, idle
        self._receipt = check_ack(ack)
        self._loops: weakref.WeakSet[AsyncLoop] = weakref.WeakSet()
        self.closed = False
        self._consumer = node._new_consumer(queue, receipt=self._receipt, owner=self)
        node._open_receiver(self, queue, prefetch)  # last: a Ctrl-C that strikes here leaves a whole receiver

    def __repr__(self) -> str:
        state = "closed" if self.closed or self._node.closed else f"{len(self)} waiting here"
        return f"<AsyncReceiver of {self.queue!r}, {state}>"

    def __len__(self) -> int:
        return self._node._waiting(self.queue)

    def __aiter__(self) -> AsyncLoop:
        return AsyncLoop(self)

    async def receive(self, timeout: float | None = None) -> Message:
        """Ack the message before and return the next; ``timeout=0`` never waits.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
        """
        return await self._receive(self._consumer, check_timeout(timeout))

    async def receive_many(self, limit: int, timeout: float | None = None) -> list[Message]:
        """Ack what was received before and return at least one message, at most ``limit``.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
        """
        check_limit(limit)
        consumer, seconds = self._consumer, check_timeout(timeout)
        wish = wishes.jobs(self._node._participating(), self.queue, lambda now, since: consumer.advance_many(limit))
        await self._node._take_turn()
        while True:
            messages = consumer.open_many(await self._wait(wish, consumer, seconds))
            if messages:
                return messages

    async def _receive(self, consumer: Consumer, timeout: float | None) -> Message:
        node = self._node
        node._turn += 1
        if node._turn >= TURN_AFTER:
            await node._take_turn()
        with suppress(WouldBlock):
            return consumer.next_nowait()
        wish = wishes.jobs(self._node._participating(), self.queue, lambda now, since: consumer.advance())
        while True:
            message = consumer.open_one(await self._wait(wish, consumer, timeout))
            if message is not None:
                return message

    async def _wait(self, wish: Wish[ResultT], consumer: Consumer, timeout: float | None) -> ResultT:
        try:
            return await self._node._wait(wish, timeout)
        except (TimedOut, asyncio.CancelledError):
            consumer.rest()
            raise

    async def ready(self, timeout: float | None = None) -> None:
        """Wait until a job is here.

        Raises:
            TimedOut: none came in time.
            ClosedError: the node is closed.
        """
        participant, consumer = self._node._participating(), self._consumer
        wish = wishes.job_here(participant, self.queue, lambda: consumer.left)
        await self._node._wait(wish, check_timeout(timeout))

    def close(self) -> None:
        """Stop pulling: what is in hand goes back as a possible repeat, the rest at once. Twice is once."""
        if not self.closed:
            self.closed = True
            for loop in list(self._loops):
                loop.leave()
            self._node._close_receiver(self, self._consumer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self.closed:
            self._consumer.settle()
        self.close()


class AsyncLoop:
    """One loop over a receiver, with its own job in hand."""

    __slots__ = ("__weakref__", "_consumer", "_receiver")

    def __init__(self, receiver: AsyncReceiver) -> None:
        self._receiver = receiver
        self._consumer = receiver._node._new_consumer(receiver.queue, receipt=receiver._receipt)
        if receiver.closed:
            self._consumer.leave()
        receiver._loops.add(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        receiver = self._receiver
        try:
            return await receiver._receive(self._consumer, receiver._idle)
        except (ClosedError, TimedOut) as error:
            if not ends_quietly(error):
                raise
            self._consumer.leave()
            raise StopAsyncIteration from None

    def leave(self) -> None:
        """Give back what is in hand."""
        self._consumer.leave()

    def __del__(self) -> None:
        self._consumer.leave()
