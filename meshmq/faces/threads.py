"""How a thread waits for a node, and how it leaves one."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any, Final, TypeVar

from meshmq.drivers.caller import Caller
from meshmq.errors import ClosedError, Undelivered, WouldBlock
from meshmq.links.engine import Engine
from meshmq.node import BaseNode
from meshmq.supply import ItemT, Supply, Taker
from meshmq.waiting import Patience, Wish

_logger: Final = logging.getLogger("meshmq.node")
ResultT = TypeVar("ResultT")
#: Seconds libzmq has, in its own thread, to send our goodbye.
LINGER: Final = 0.5


def wait(node: BaseNode, wish: Wish[ResultT], timeout: float | None) -> ResultT:
    """Sleep until the wish comes true, and return what it gives.

    Raises:
        TimedOut: not within ``timeout`` seconds.
        ClosedError: the node is closed.
    """
    engine, _ = node._opened()
    clock = time.monotonic
    again = clock()
    patience = Patience(wish, timeout, node.settings.first_word, again)
    since = engine.now()
    with Caller(engine) as caller:
        try:
            while True:
                with engine.gate:
                    caller.look()
                    engine.check()
                    tried = caller.woken or clock() >= again
                    if tried:
                        moment = engine.now()
                        try:
                            result = wish.attempt(moment, since)
                            _leave_line(engine, wish, caller, took=wish.takes)
                            return result
                        except WouldBlock:
                            engine.send_early()
                            engine.register(wish.key, caller)
                            caller.take_helm(moment)
                        finally:
                            engine.flush()
                    caller.rest()
                now = clock()
                if tried:
                    again = now + patience.span(now)
                caller.watch(again - now)
        except BaseException:
            if not engine.forked:
                with engine.gate:
                    _leave_line(engine, wish, caller, took=False)
            raise


def _leave_line(engine: Engine, wish: Wish[ResultT], caller: Caller, *, took: bool) -> None:
    engine.unregister(wish.key, caller, took=took)
    caller.leave_helm()


def take(
    node: BaseNode, supply: Supply[ItemT], taker: Taker[ItemT], timeout: float | None, level: int = logging.INFO
) -> ItemT:
    """Return the next item of a supply; waits for it, and says so with ``level``.

    Raises:
        TimedOut, ClosedError: as ``wait``.
    """
    wish: Wish[Any] = Wish(supply.key, lambda now, since: taker.advance(), supply.words, level=level)
    while True:
        item = taker.open_one(wait(node, wish, timeout))
        if item is not None:
            return item


def leave(node: BaseNode, hard: float | None, *, hasty: bool = False) -> None:
    """Wait until nothing is owed, at most ``hard`` seconds, and close the node.

    Handlers finish before that. Ctrl-C or SIGTERM meanwhile makes ``settings.drain`` the hard limit, a
    second one ends the wait (with ``hasty`` the first); what is left is then logged, for an exception is
    on its way.

    Raises:
        Undelivered: jobs were left.
    """
    engine, _ = node._opened()
    try:
        if not engine.closed:
            with suppress(ClosedError):
                _wait_to_leave(node, hard, hasty=hasty)
    except BaseException:
        if left := _end(node):
            tell_left(node, left)
        raise
    if left := _end(node):
        raise left


def _wait_to_leave(node: BaseNode, hard: float | None, *, hasty: bool) -> None:
    try:
        for wish in node._steps_to_leave(hard):
            wait(node, wish, None)
    except (KeyboardInterrupt, SystemExit):
        if not hasty:
            limit = node.settings.drain if hard is None else min(hard, node.settings.drain)
            for wish in node._steps_to_leave(limit):
                wait(node, wish, None)
        raise


def _end(node: BaseNode) -> Undelivered | None:
    try:
        node._withdraw()
    except BaseException:
        if left := node._shut(LINGER):
            tell_left(node, left)
        raise
    else:
        return node._shut(LINGER)
    finally:
        node._close_journal()


def tell_left(node: BaseNode, left: Exception) -> None:
    """Log what is left where an exception is on its way already."""
    _logger.error("node %r: %s", node.name, left)
