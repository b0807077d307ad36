"""Handlers: what a function must be to handle, who works in which place, and what is said when it fails."""

from __future__ import annotations

import inspect
import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from meshmq.blame import kind_of, speakable, text_of
from meshmq.errors import ConfigError
from meshmq.names import counted
from meshmq.supply import ItemT, Supply, Taker

#: The most characters of a stack in the log, and on the wire: what is in the middle is left out.
STACK_LENGTH: Final = 16_000
_NAMES_OF_MESSAGE: Final = ("message", "request")
_logger: Final = logging.getLogger("meshmq.handlers")


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that handles, and how it is called."""

    function: Callable[..., Any]
    name: str
    takes_message: bool
    is_async: bool

    def call(self, item: Any) -> Any:
        """Call it with an item's data, and the item if it takes that."""
        return self.function(item.data, item) if self.takes_message else self.function(item.data)


def read_handler(function: object, title: str, *, may_be_async: bool, may_yield: bool) -> Handler:
    """Look at a function, once.

    Raises:
        ConfigError: it cannot handle; the sentence says why.
    """
    name = str(getattr(function, "__qualname__", function)).rpartition("<locals>.")[2]
    if not callable(function):
        raise ConfigError(f"the handler of {title} is a function, not {function!r}")
    called = type(function).__call__  # of an object that is called; of a function it says nothing
    yields = any(map(inspect.isgeneratorfunction, (function, called)))
    yields_async = any(map(inspect.isasyncgenfunction, (function, called)))
    is_async = yields_async or any(map(inspect.iscoroutinefunction, (function, called)))
    if is_async and not may_be_async:
        raise ConfigError(f"{name} is async: use meshmq.AsyncNode, or write it with def")
    if (yields or yields_async) and not may_yield:
        raise ConfigError(f"{name} yields, and {title} has nobody to give that to: only a handler of reply may yield")
    return Handler(function, name, _takes_message(function, name), is_async)


def _takes_message(function: Callable[..., Any], name: str) -> bool:
    wrong = f"a handler is {name}(data) or {name}(data, message)"
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C, and says nothing of itself
        return False
    needed = [each for each in parameters if each.default is each.empty and each.kind is each.KEYWORD_ONLY]
    if needed:
        raise ConfigError(f"{wrong}; nobody gives it {needed[0].name}=")
    places = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if not places and not any(each.kind is each.VAR_POSITIONAL for each in parameters):
        raise ConfigError(f"{wrong}; this one takes nothing")
    if len([each for each in places if each.default is each.empty]) > 2:
        raise ConfigError(f"{wrong}; this one takes more")
    return len(places) > 1 and (places[1].default is inspect.Parameter.empty or places[1].name in _NAMES_OF_MESSAGE)


class Place(Generic[ItemT]):
    """Where one handler works: with a taker of its own, one item after the other."""

    __slots__ = ("since", "taker", "told_at", "worker", "working")

    def __init__(self, taker: Taker[ItemT]) -> None:
        self.taker = taker
        #: Since when it has been at work, in ``time.monotonic``; ``None`` while it waits.
        self.since: float | None = None
        #: The thread or the task that handles here.
        self.worker: Any = None
        #: The task that gives it work: a loop holds its tasks weakly.
        self.working: Any = None
        #: When it was last named as slow.
        self.told_at = 0.0


class Base(Protocol):
    """What a crew needs to know of its node, whichever face that has."""

    def _tell_progress(self) -> None:
        """Wake who waits for handlers to be done."""

    def _tell_quick(self) -> None:
        """Learn that a handler that was named as slow is done."""


NodeT = TypeVar("NodeT", bound=Base)


class Crew(Generic[NodeT, ItemT]):
    """All places of one handler: at most ``limit``, each made when all others are at work."""

    def __init__(
        self,
        node: NodeT,
        handler: Handler,
        supply: Supply[ItemT],
        new_taker: Callable[[], Taker[ItemT]],
        limit: int,
    ) -> None:
        self._node = node
        self.handler, self.supply, self.limit = handler, supply, limit
        self.places: list[Place[ItemT]] = []
        self._new_taker = new_taker
        self._growing = threading.Lock()
        #: How many items were handled: progress.
        self.handled = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.handler.name} for {self.supply.title}, {self.busy} at work>"

    @property
    def busy(self) -> int:
        """How many places are at work."""
        return sum(place.since is not None for place in list(self.places))

    @property
    def at_work(self) -> bool:
        """Whether somebody else than who asks still has a place here."""
        me = self._me()
        return any(place.worker is not me for place in list(self.places))

    def start(self) -> None:
        """Begin to work; on an open node."""
        self.grow()

    def grow(self) -> None:
        """Make one more place if all are at work and there may be more."""
        with self._growing:
            if len(self.places) >= self.limit or any(place.since is None for place in self.places):
                return
            place = Place(self._new_taker())
            self.places.append(place)
        try:
            self._man(place)
        except BaseException:
            self._leave(place)
            raise

    def tell_unfinished(self) -> None:
        """Log what is given up."""
        if self.busy:
            name, title = self.handler.name, self.supply.title
            _logger.warning("%s of %s has not finished %s in time", name, title, counted(self.busy, "item"))

    def _man(self, place: Place[ItemT]) -> None:
        """Have somebody work in a place."""
        raise NotImplementedError

    def _me(self) -> object:
        """Return who asks, as the worker of a place would be."""
        raise NotImplementedError

    def _leave(self, place: Place[ItemT]) -> None:
        """Give a place up."""
        place.taker.leave()
        with self._growing:
            if place in self.places:
                self.places.remove(place)
        self._node._tell_progress()

    def _begin(self, place: Place[ItemT]) -> None:
        place.since = time.monotonic()
        if len(self.places) < self.limit:
            try:
                self.grow()
            except RuntimeError as error:  # the system gives no thread: those that are there do it
                _logger.warning("%s of %s gets no further place: %s", self.handler.name, self.supply.title, error)

    def _done(self, place: Place[ItemT]) -> None:
        self.handled += 1
        slow = place.since is not None and place.told_at >= place.since
        place.since = None
        if slow:
            self._node._tell_quick()

    def _raised(self, item: ItemT, error: BaseException) -> None:
        level = self.supply.raised(item, error)
        if _logger.isEnabledFor(level):
            _logger.log(level, "%s of %s failed\n%s", self.handler.name, self.supply.title, stack_of(error))


def failure_of(error: BaseException) -> tuple[str, str, str]:
    """Return what is told of an exception: its kind, its text and its stack; never raises."""
    return kind_of(error), text_of(error), stack_of(error)


def stack_of(error: BaseException) -> str:
    """Return an exception with its stack, without our own frames at its top, cut in the middle; never raises."""
    try:
        told = traceback.TracebackException.from_exception(error, limit=-50)
        while told.stack and told.stack[0].filename.startswith(_HERE):
            del told.stack[0]
        stack = speakable("".join(told.format()).rstrip())
    except BaseException as failure:
        stack = f"{kind_of(error)}: {text_of(error)} (its stack cannot be told: {kind_of(failure)})"
    if len(stack) > STACK_LENGTH:
        half = STACK_LENGTH // 2
        stack = f"{stack[:half]}\n[... {len(stack) - 2 * half:,} characters ...]\n{stack[-half:]}"
    return stack


#: The directory of our own frames.
_HERE: Final = __file__.rpartition("/")[0] + "/"
