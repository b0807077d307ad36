"""Jobs of one queue, for threads."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from meshmq import wishes
from meshmq.checks import Ack, check_ack, check_limit, check_timeout
from meshmq.consumer import Consumer
from meshmq.errors import ClosedError, TimedOut, WouldBlock
from meshmq.faces.threads import wait
from meshmq.message import Message
from meshmq.node import BaseNode
from meshmq.waiting import Wish, ends_quietly

ResultT = TypeVar("ResultT")


class Receiver:
    """Jobs of one queue: iterate, or ``receive``. Asking for the next job acks the one before.

    Leaving the loop acks nothing: the job in hand goes back as a possible repeat, those only fetched
    go back at once, in order. Several threads may iterate at once; each has its own job in hand. Those
    that share ``receive`` share it: whoever asks acks what the others hold.
    """

    def __init__(self, node: BaseNode, queue: str, prefetch: int | None, ack: Ack, idle: float | None) -> None:
        self._node, self.queue, self._idle = node, queue, idle
        self._receipt = check_ack(ack)
        self._loops: weakref.WeakSet[Consumer] = weakref.WeakSet()
        self.closed = False
        self._consumer = node._new_consumer(queue, receipt=self._receipt, owner=self)
        node._open_receiver(self, queue, prefetch)  # last: a Ctrl-C that strikes here leaves a whole receiver

    def __repr__(self) -> str:
        state = "closed" if self.closed or self._node.closed else f"{len(self)} waiting here"
        return f"<Receiver of {self.queue!r}, {state}>"

    def __len__(self) -> int:
        return self._node._waiting(self.queue)

    def __iter__(self) -> Generator[Message]:
        consumer = self._node._new_consumer(self.queue, receipt=self._receipt)
        self._loops.add(consumer)
        if self.closed:
            consumer.leave()
        try:
            while True:
                yield self._next(consumer)
                yield from consumer.quickly()
        except (ClosedError, TimedOut) as error:
            if not ends_quietly(error):
                raise
        finally:
            consumer.leave()

    def _next(self, consumer: Consumer) -> Message:
        with suppress(WouldBlock):
            return consumer.next_nowait()
        return self._receive(consumer, self._idle)

    def receive(self, timeout: float | None = None) -> Message:
        """Ack the message before and return the next; ``timeout=0`` never waits.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
        """
        seconds = check_timeout(timeout)
        try:  # cheaper than suppress
            return self._consumer.next_nowait()
        except WouldBlock:
            pass  # and not waited for in here, or it would be the context of what waiting raises
        return self._receive(self._consumer, seconds)

    def receive_many(self, limit: int, timeout: float | None = None) -> list[Message]:
        """Ack what was received before and return at least one message, at most ``limit``.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
        """
        check_limit(limit)
        consumer, seconds = self._consumer, check_timeout(timeout)
        wish = wishes.jobs(self._node._participating(), self.queue, lambda now, since: consumer.advance_many(limit))
        while True:
            messages = consumer.open_many(self._wait(wish, consumer, seconds))
            if messages:
                return messages

    def _receive(self, consumer: Consumer, timeout: float | None) -> Message:
        wish = wishes.jobs(self._node._participating(), self.queue, lambda now, since: consumer.advance())
        while True:
            message = consumer.open_one(self._wait(wish, consumer, timeout))
            if message is not None:
                return message

    def _wait(self, wish: Wish[ResultT], consumer: Consumer, timeout: float | None) -> ResultT:
        try:
            return wait(self._node, wish, timeout)
        except TimedOut:
            consumer.rest()
            raise

    def ready(self, timeout: float | None = None) -> None:
        """Wait until a job is here.

        Raises:
            TimedOut: none came in time.
            ClosedError: the node is closed.
        """
        participant, consumer = self._node._participating(), self._consumer
        wish = wishes.job_here(participant, self.queue, lambda: consumer.left)
        wait(self._node, wish, check_timeout(timeout))

    def close(self) -> None:
        """Stop pulling: what is in hand goes back as a possible repeat, the rest at once. Twice is once."""
        if not self.closed:
            self.closed = True
            for consumer in list(self._loops):
                consumer.leave()
            self._node._close_receiver(self, self._consumer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self.closed:
            self._consumer.settle()
        self.close()
