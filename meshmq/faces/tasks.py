"""How an asyncio task waits for a node, and how it leaves one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from meshmq.core.participant import Participant
from meshmq.drivers.base import Driver
from meshmq.drivers.keeper import KeeperDriver
from meshmq.drivers.leaving import at_exit
from meshmq.drivers.loop import LoopDriver
from meshmq.errors import ClosedError, ConfigError, InUseError, TimedOut, Undelivered, WouldBlock
from meshmq.faces.threads import LINGER, leave, tell_left
from meshmq.links.engine import Engine
from meshmq.links.loop_timer import LoopTimer
from meshmq.links.waiter import LoopWaiter
from meshmq.node import BaseNode
from meshmq.supply import ItemT, Supply, Taker
from meshmq.waiting import Patience, Wish

ResultT = TypeVar("ResultT")
#: After so many calls that had nothing to wait for, the loop gets a turn; where they were quick, after four times as
#: many: a turn costs as much as some 50 calls do.
TURN_AFTER: Final = 128
_TURN_SPAN: Final = 0.001
_QUICK_MOST: Final = 4


class TaskNode(BaseNode):
    """A node that an event loop drives and tasks wait for."""

    #: By which calls wait.
    _clock: Callable[[], float] = staticmethod(time.monotonic)
    _turn = _quick_turns = 0
    _turned_at = 0.0
    _loop: asyncio.AbstractEventLoop | None = None
    _timer: LoopTimer | None = None

    async def _leave(self, hard: float | None) -> None:
        """Leave, and close the node: see ``threads.leave``."""
        if not self._may_leave():
            return
        engine, _ = self._opened()
        try:
            if not engine.closed:
                with suppress(ClosedError):
                    for wish in self._steps_to_leave(hard):
                        await self._wait(wish, None)
        except BaseException:
            if left := await self._end():
                tell_left(self, left)
            raise
        if left := await self._end():
            raise left

    async def _end(self) -> Undelivered | None:
        try:
            await _apart(self._withdraw)
        except BaseException:
            if left := self._shut(LINGER):
                tell_left(self, left)
            self._close_journal(0.0)
            raise
        left = self._shut(LINGER)
        await _apart(self._close_journal)
        return left

    def _abandon(self, limit: float) -> None:
        """Close at interpreter exit, where the loop does not run any more: the keeper drives what is left to do."""
        engine, driver = self._engine, self._driver
        if not self._may_leave() or engine is None or driver is None:
            return self._let_it_close()
        if self._loop is not None and not self._loop.is_running():
            driver.detach()
            if not engine.closed:
                self._driver = KeeperDriver(engine)
                self._driver.attach()
        try:
            leave(self, limit)
        except Exception as error:
            tell_left(self, error)

    async def _take_turn(self) -> None:
        self._turn = self._quick_turns = 0
        await asyncio.sleep(0)
        self._turned_at = self._clock()

    async def _take_turn_in_time(self) -> None:
        """Give the loop a turn, unless it had one a moment ago."""
        self._turn, self._quick_turns = 0, self._quick_turns + 1
        if self._quick_turns >= _QUICK_MOST or self._clock() - self._turned_at >= _TURN_SPAN:
            await self._take_turn()

    async def _wait(self, wish: Wish[ResultT], timeout: float | None) -> ResultT:
        engine, _ = self._opened()
        clock = self._clock
        patience = Patience(wish, timeout, self.settings.first_word, clock())
        since = engine.now()
        took = False
        assert self._timer is not None  # since it is opened
        waiter = LoopWaiter(self._timer)
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
                await waiter.wait(patience.span(clock()))
        finally:
            if not engine.forked:
                with engine.gate:
                    engine.unregister(wish.key, waiter, took=took)

    def _opened(self) -> tuple[Engine, Participant]:
        loop = _running_loop()
        if self._engine is None and loop is None and not self._closed:
            raise ConfigError(f"node {self.name!r} is opened inside a running event loop: await node.open() there")
        opened = super()._opened()
        if loop is not None and loop is not self._loop:
            self._move(opened[0], loop)
        return opened

    def _move(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        """Go on in another loop, where the one before has ended."""
        if self._loop is not None and self._loop.is_running():
            raise InUseError(f"node {self.name!r} is used in another event loop, which still runs: make one for each")
        if self._driver is not None:
            self._driver.detach()
        self._driver = self._make_driver(engine)
        self._driver.attach()
        self._start_crews()  # those in tasks have ended with the other loop

    def _make_driver(self, engine: Engine) -> Driver:
        self._loop = asyncio.get_running_loop()
        self._timer = LoopTimer(self._loop)
        return LoopDriver(engine, self._loop)

    def _arrange_exit(self) -> None:
        self._take_back = at_exit(self._abandon, self.settings.drain)


async def take(
    node: TaskNode, supply: Supply[ItemT], taker: Taker[ItemT], timeout: float | None, level: int = logging.INFO
) -> ItemT:
    """Return the next item of a supply; waits for it, and says so with ``level``.

    Raises:
        TimedOut: not within ``timeout`` seconds.
        ClosedError: the node, or what is taken from, is closed.
    """
    node._turn += 1
    if node._turn >= TURN_AFTER:
        await node._take_turn_in_time()
    with suppress(WouldBlock):
        return taker.next_nowait()
    wish: Wish[Any] = Wish(supply.key, lambda now, since: taker.advance(), supply.words, level=level)
    try:
        while True:
            item = taker.open_one(await node._wait(wish, timeout))
            if item is not None:
                return item
    except (TimedOut, asyncio.CancelledError):
        taker.rest()
        raise


async def _apart(work: Callable[[], object]) -> None:
    """Do in a thread what waits."""
    try:
        await asyncio.to_thread(work)
    except RuntimeError:  # the loop takes no more work for threads
        work()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
