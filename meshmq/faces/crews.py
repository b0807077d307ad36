"""Handlers in threads, on nodes of both faces."""

from __future__ import annotations

import logging
import threading
from contextvars import copy_context

from meshmq.errors import ClosedError, WouldBlock
from meshmq.faces.threads import take
from meshmq.handling import Crew, Place
from meshmq.links.interrupts import start_apart
from meshmq.node import BaseNode
from meshmq.supply import ItemT


class ThreadCrew(Crew[BaseNode, ItemT]):
    """Places in daemon threads: one that is blocked holds up no exit, as one of a ThreadPoolExecutor would [F 51]."""

    def _man(self, place: Place[ItemT]) -> None:
        name = f"{self.handler.name} of {self.supply.title}"
        place.worker = threading.Thread(target=self._work, args=(place,), name=name, daemon=True)
        start_apart(place.worker)

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
        self._begin(place, item)
        try:
            copy_context().run(self._call, item)
        finally:
            self._done(place)

    def _call(self, item: ItemT) -> None:
        try:
            self.supply.began(item, _let_it)
            self.supply.returned(item, self.handler.call(item))
        except BaseException as error:  # SystemExit of a handler, too: it ends what it handles and not the node
            self._raised(item, error)


def _let_it() -> None:
    """A thread cannot be interrupted: the handler looks at ``request.cancelled``."""
