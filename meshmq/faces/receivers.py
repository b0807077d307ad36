"""What receivers of both faces have in common: all but waiting."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from meshmq.errors import ClosedError, InUseError
from meshmq.faces.crews import ThreadCrew
from meshmq.handling import Crew, Handler, read_handler
from meshmq.node import BaseNode
from meshmq.supply import ItemT, Supply, Taker

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class BaseReceiver(Generic[ItemT]):
    """What a node receives: either iterated (or asked by ``receive``), or given to a handler."""

    #: Whether its node can run what is ``async``.
    _may_be_async = False

    def __init__(self, node: BaseNode, supply: Supply[ItemT], idle: float | None, concurrency: int) -> None:
        self._node, self._supply, self._idle, self._concurrency = node, supply, idle, concurrency
        self._loops: weakref.WeakSet[Taker[ItemT]] = weakref.WeakSet()
        #: Who takes for all that share ``receive``; there from its first use.
        self._shared: Taker[ItemT] | None = None
        self._handled = self._asked = self._ended = False
        self.closed = False
        node._hold(self, supply)  # last: a Ctrl-C that strikes here leaves a whole receiver

    def __repr__(self) -> str:
        state = "closed" if self.closed or self._node.closed else f"{len(self)} waiting here"
        return f"<{type(self).__name__} of {self._supply.title}, {state}>"

    def __len__(self) -> int:
        self._node._check_fork()
        return self._supply.waiting()

    def __call__(self, function: FunctionT) -> FunctionT:
        """Have ``function(data)`` or ``function(data, message)`` called with all that comes; return it unchanged.

        At most ``concurrency`` are at work at once. They begin when the node opens, and end with the receiver.

        Raises:
            InUseError: the receiver is iterated, or has a handler already.
            ConfigError: the function cannot be a handler here.
            ClosedError: the node or the receiver is closed.
        """
        supply = self._supply
        handler = read_handler(function, supply.title, may_be_async=self._may_be_async, may_yield=supply.answers)
        with self._node._opening:
            self._check_unhandled()
            if self._asked:
                raise InUseError(f"the receiver of {supply.title} is iterated: make another one for a handler")
            if self.closed:
                raise ClosedError(f"the receiver of {supply.title} is closed")
            self._handled = True
            self._node._man(self._new_crew(handler), self)
        return function

    def _new_crew(self, handler: Handler) -> Crew[Any, ItemT]:
        return ThreadCrew(self._node, handler, self._supply, self._new_place, self._concurrency)

    def close(self) -> None:
        """Take nothing more: what is in hand goes back as a possible repeat, the rest at once. Twice is once."""
        if not self.closed:
            self.closed = True
            for taker in self._takers():
                taker.leave()
            self._node._let_go(self, self._supply)

    def _end(self) -> None:
        """Take nothing new: what is in hand may be finished, then loops end."""
        self._ended = True
        for taker in self._takers():
            taker.end()

    def _takers(self) -> list[Taker[ItemT]]:
        return [*self._loops, *([self._shared] if self._shared is not None else [])]

    def _ask(self) -> Taker[ItemT]:
        """Return who takes for all that share ``receive``; opens the node if need be.

        Raises:
            InUseError: there is a handler.
            ClosedError: the node is closed, or the receiver was before it was used.
        """
        taker = self._shared
        if taker is None:
            self._note_asked()
            with self._node._opening:  # another thread may be quicker
                taker = self._shared = self._shared or self._new_taker(self)
            self._look_whether_over(taker)
        return taker

    def _new_loop(self) -> Taker[ItemT]:
        """Return who takes for one loop; opens the node if need be."""
        self._note_asked()
        return self._new_place()

    def _new_place(self) -> Taker[ItemT]:
        taker = self._new_taker(None)
        self._loops.add(taker)
        self._look_whether_over(taker)
        return taker

    def _new_taker(self, owner: BaseReceiver[ItemT] | None) -> Taker[ItemT]:
        if self.closed:
            raise ClosedError(f"the receiver of {self._supply.title} is closed")
        return self._node._new_taker(self._supply, owner)

    def _look_whether_over(self, taker: Taker[ItemT]) -> None:
        """Tell a taker what it was too late to be told."""
        if self.closed:
            taker.leave()
        elif self._ended:
            taker.end()

    def _note_asked(self) -> None:
        self._check_unhandled()
        self._asked = True

    def _check_unhandled(self) -> None:
        if self._handled:
            raise InUseError(f"the receiver of {self._supply.title} has a handler already: make another one")
