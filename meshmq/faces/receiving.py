"""Receivers for threads."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import chain
from types import TracebackType
from typing import Any, Self

from meshmq.checks import check_limit, check_timeout
from meshmq.errors import ClosedError, TimedOut, WouldBlock
from meshmq.faces.receivers import BaseReceiver
from meshmq.faces.threads import take, wait
from meshmq.supply import ItemT, Taker
from meshmq.waiting import Wish, ends_quietly


class Receiver(BaseReceiver[ItemT]):
    """What ``pull``, ``subscribe`` and ``reply`` return: iterate, or ``receive``.

    Of a queue: asking for the next job acks the one before. Leaving the loop acks nothing: the job in
    hand goes back as a possible repeat, those only fetched go back at once, in order. Several threads may
    iterate at once; each has its own job in hand. Those that share ``receive`` share it: whoever asks acks
    what the others hold.
    """

    def __iter__(self) -> Iterator[ItemT]:
        # Not "yield from": that would take each item through one more generator, a tenth of what a quick loop costs.
        return chain.from_iterable(self._hands())

    def _hands(self) -> Iterator[Iterable[ItemT]]:
        taker: Taker[ItemT] | None = None
        try:
            taker = self._new_loop()
            while True:
                yield (self._next(taker),)
                yield taker.quickly()
        except (ClosedError, TimedOut) as error:
            if not ends_quietly(error):
                raise
        finally:
            if taker is not None:
                taker.leave()

    def _next(self, taker: Taker[ItemT]) -> ItemT:
        try:  # cheaper than suppress
            return taker.next_nowait()
        except WouldBlock:
            pass  # and not waited for in here, as in receive
        return self._take(taker, self._idle)

    def receive(self, timeout: float | None = None) -> ItemT:
        """Be done with the one before and return the next; ``timeout=0`` never waits.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
            InUseError: the receiver has a handler.
        """
        seconds = check_timeout(timeout)
        taker = self._shared or self._ask()
        try:  # cheaper than suppress
            return taker.next_nowait()
        except WouldBlock:
            pass  # and not waited for in here, or it would be the context of what waiting raises
        return self._take(taker, seconds)

    def receive_many(self, limit: int, timeout: float | None = None) -> list[ItemT]:
        """Be done with what was received before and return at least one, at most ``limit``.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
            InUseError: the receiver has a handler.
        """
        check_limit(limit)
        seconds = check_timeout(timeout)
        supply, taker = self._supply, self._shared or self._ask()
        wish: Wish[Any] = Wish(supply.key, lambda *_: taker.advance_many(limit), supply.words, level=logging.INFO)
        while True:
            try:
                items = taker.open_many(wait(self._node, wish, seconds))
            except TimedOut:
                taker.rest()
                raise
            if items:
                return items

    def _take(self, taker: Taker[ItemT], timeout: float | None) -> ItemT:
        try:
            return take(self._node, self._supply, taker, timeout)
        except TimedOut:
            taker.rest()
            raise

    def ready(self, timeout: float | None = None) -> Any:
        """Wait until there is something to take: of a queue a job, of a service a request.

        Raises:
            TimedOut: not in time.
            ClosedError: the node or the receiver is closed.
            InUseError: the receiver has a handler.
        """
        seconds = check_timeout(timeout)
        return wait(self._node, self._supply.ready(self._shared or self._ask()), seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self.closed and self._shared is not None:
            self._shared.settle()
        self.close()
