"""Async handlers, as tasks of their node's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncGenerator
from typing import Any

from meshmq.errors import ClosedError
from meshmq.faces.tasks import TaskNode, take
from meshmq.handling import Crew, Place
from meshmq.request import Request, check_streamed
from meshmq.supply import ItemT


class TaskCrew(Crew[TaskNode, ItemT]):
    """Places in tasks. Each item is handled in a task of its own, so that it can be cancelled alone."""

    def start(self) -> None:
        """Begin to work, in the node's loop, whichever thread asks."""
        loop = self._node._loop
        assert loop is not None
        with contextlib.suppress(RuntimeError):  # it is closed: the node will be used in another, or not at all
            loop.call_soon_threadsafe(self.grow)

    def _man(self, place: Place[ItemT]) -> None:
        place.working = place.worker = asyncio.get_running_loop().create_task(self._work(place))

    def _me(self) -> object:
        with contextlib.suppress(RuntimeError):  # no loop runs in this thread
            return asyncio.current_task()
        return None

    async def _work(self, place: Place[ItemT]) -> None:
        try:
            while True:
                item = await take(self._node, self.supply, place.taker, None, logging.DEBUG)
                self._begin(place)
                handling = place.worker = asyncio.create_task(self._handle(item))
                try:
                    await asyncio.wait([handling])
                finally:
                    handling.cancel()  # where we are cancelled: the loop ends
                    self._done(place)
        except ClosedError:  # where the node broke, the engine has said so
            pass
        finally:
            self._leave(place)

    async def _handle(self, item: ItemT) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def leave_off() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(task.cancel)

        try:
            self.supply.began(item, leave_off)
            value = self.handler.call(item)
            if isinstance(item, Request) and inspect.isasyncgen(value):
                await self._stream(item, value)
            else:
                self.supply.returned(item, await value)
        except BaseException as error:  # SystemExit of a handler, too: it ends what it handles and not the loop
            self._raised(item, error)

    async def _stream(self, request: Request, values: AsyncGenerator[Any, Any]) -> None:
        async with contextlib.aclosing(values):
            check_streamed(request)
            async for value in values:
                if not await self._node._wait(request._item_wish(value), None):
                    break
        request._end()
