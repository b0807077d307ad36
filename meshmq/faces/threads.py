"""How a thread waits for a node, and how it leaves one."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Final, TypeVar

from meshmq import wishes
from meshmq.errors import ClosedError, Undelivered, WouldBlock
from meshmq.links.engine import Engine
from meshmq.links.waiter import ThreadWaiter
from meshmq.node import BaseNode
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
    patience = Patience(wish, timeout, node.settings.first_word, clock())
    since = engine.now()
    took = False
    with ThreadWaiter() as waiter:
        try:
            while True:
                with engine.gate:
                    engine.check()
                    try:
                        result = wish.attempt(engine.now(), since)
                        took = wish.takes
                        return result
                    except WouldBlock:
                        engine.register(wish.key, waiter)
                    finally:
                        engine.flush()
                waiter.wait(patience.span(clock()))
        finally:
            _unregister(engine, wish, waiter, took=took)


def _unregister(engine: Engine, wish: Wish[ResultT], waiter: ThreadWaiter, *, took: bool) -> None:
    if not engine.forked:
        with engine.gate:
            engine.unregister(wish.key, waiter, took=took)


def leave(node: BaseNode, hard: float | None) -> None:
    """Wait until nothing is owed, at most ``hard`` seconds, and close the node.

    Ctrl-C or SIGTERM meanwhile makes ``settings.drain`` the hard limit, a second one ends the wait; what
    is left is then logged, for an exception is on its way.

    Raises:
        Undelivered: jobs were left.
    """
    engine, _ = node._opened()
    try:
        if not engine.closed:
            with suppress(ClosedError):
                node._begin_to_leave()
                _wait_to_leave(node, hard)
    except BaseException:
        if left := _end(node):
            tell_left(node, left)
        raise
    if left := _end(node):
        raise left


def _wait_to_leave(node: BaseNode, hard: float | None) -> None:
    try:
        wait(node, wishes.left(node._participating(), hard, node.settings.drain), None)
    except (KeyboardInterrupt, SystemExit):
        limit = node.settings.drain if hard is None else min(hard, node.settings.drain)
        wait(node, wishes.left(node._participating(), limit, limit), None)
        raise


def _end(node: BaseNode) -> Undelivered | None:
    try:
        node._withdraw()
    except BaseException:
        if left := node._shut(LINGER):
            tell_left(node, left)
        raise
    return node._shut(LINGER)


def tell_left(node: BaseNode, left: Exception) -> None:
    """Log what is left where an exception is on its way already."""
    _logger.error("node %r: %s", node.name, left)
