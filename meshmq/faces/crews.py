"""Handlers in threads, on nodes of both faces."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Generator
from contextlib import closing
from contextvars import copy_context
from typing import Any

from meshmq.errors import ClosedError, WouldBlock
from meshmq.faces.threads import take, wait
from meshmq.handling import Crew, Place
from meshmq.links.interrupts import start_apart
from meshmq.node import BaseNode
from meshmq.request import Request, check_streamed
from meshmq.supply import ItemT


class ThreadCrew(Crew[BaseNode, ItemT]):
    """Places in daemon threads: one that is blocked holds up no exit, as one of a ThreadPoolExecutor would [F 51]."""

    def _man(self, place: Place[ItemT]) -> None:
        name = f"{self.handler.name} of {self.supply.title}"
        place.worker = threading.Thread(target=self._work, args=(place,), name=name, daemon=True)
        start_apart(place.worker)

    def _me(self) -> object:
        return threading.current_thread()

    def _work(self, place: Place[ItemT]) -> None:
        taker = place.taker
        try:
            while True:
                self._handle(place, self._next(place))
                for item in taker.quickly():
                    self._handle(place, item)
        except ClosedError:  # where the node broke, the engine has said so
            pass
        finally:
            self._leave(place)

    def _next(self, place: Place[ItemT]) -> ItemT:
        try:
            return place.taker.next_nowait()
        except WouldBlock:
            pass  # and not waited for in here, or it would be the context of what is raised
        return take(self._node, self.supply, place.taker, None, logging.DEBUG)

    def _handle(self, place: Place[ItemT], item: ItemT) -> None:
        self._begin(place)
        try:
            copy_context().run(self._call, item)
        finally:
            self._done(place)

    def _call(self, item: ItemT) -> None:
        try:
            self.supply.began(item, None)  # a thread cannot be interrupted: it looks at request.cancelled
            value = self.handler.call(item)
            if isinstance(item, Request) and inspect.isgenerator(value):
                self._stream(item, value)
            else:
                self.supply.returned(item, value)
        except BaseException as error:  # SystemExit of a handler, too: it ends what it handles and not the node
            self._raised(item, error)

    def _stream(self, request: Request, values: Generator[Any, Any, Any]) -> None:
        with closing(values):
            check_streamed(request)
            for value in values:
                if not wait(self._node, request._item_wish(value), None):
                    break
        request._end()
