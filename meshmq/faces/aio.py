"""The face for asyncio tasks: waiting and nothing else. The names are those of ``blocking``."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, TypeVar

from meshmq.consumer import Consumer, check_limit, check_timeout
from meshmq.core.outbox import TRAY_BYTES
from meshmq.core.participant import Participant
from meshmq.core.roster import Event
from meshmq.drivers.base import Driver
from meshmq.drivers.keeper import KeeperDriver
from meshmq.drivers.leaving import at_exit
from meshmq.drivers.loop import LoopDriver
from meshmq.errors import ClosedError, ConfigError, ForkedError, InUseError, TimedOut, Undelivered, WouldBlock
from meshmq.faces.threads import LINGER, leave, tell_left
from meshmq.links.engine import Engine
from meshmq.links.waiter import LoopWaiter
from meshmq.message import Message
from meshmq.names import check_name
from meshmq.node import BaseNode
from meshmq.seeing import PeerView
from meshmq.waiting import Patience, Wish
from meshmq.wire.batches import Headers

ResultT = TypeVar("ResultT")
#: After so many calls that had nothing to wait for, the loop gets a turn.
TURN_AFTER: Final = 128


class AsyncNode(BaseNode):
    """One participant of a mesh, awaited; used from one event loop at a time, the one it was opened in.

    ``AsyncNode(...)`` only remembers; it opens at ``async with``, ``open()`` or its first use. See
    ``BaseNode`` for the arguments.
    """

    _turn = 0
    _loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> Self:
        """Open the node: bind, announce, find others. Never waits for peers; twice is once.

        Raises:
            LinkError: an address or the private directory cannot be opened.
            ClosedError: it was closed before.
        """
        self._opened()
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
        else:
            try:
                await self.close(self.settings.drain)
            except Exception as left:
                tell_left(self, left)

    async def close(self, timeout: float | None = None) -> None:
        """Leave: wait until every job pushed here is confirmed, say goodbye, close.

        Waits as long as there is progress (an ack, or a job in the hands of a living worker) and
        ``settings.drain`` seconds beyond; ``timeout`` is a hard limit, 0 waits for nothing. What this
        node pulled and has in hand goes back to its pusher.

        Raises:
            Undelivered: jobs were left; it says how many, and what helps.
        """
        hard = check_timeout(timeout)
        if not self._may_leave():
            return
        engine, _ = self._opened()
        try:
            if not engine.closed:
                with suppress(ClosedError):
                    self._begin_to_leave()
                    await self._wait(self._leave_wish(hard), None)
        except BaseException:
            if left := await self._end():
                tell_left(self, left)
            raise
        if left := await self._end():
            raise left

    async def _end(self) -> Undelivered | None:
        try:
            await asyncio.to_thread(self._withdraw)
        except RuntimeError:  # the loop takes no more work for threads
            self._withdraw()
        except BaseException:
            if left := self._shut(LINGER):
                tell_left(self, left)
            raise
        return self._shut(LINGER)

    def _abandon(self, limit: float) -> None:
        """Close at interpreter exit, where the loop does not run any more: the keeper drives what is left to do."""
        engine, driver = self._engine, self._driver
        if not self._may_leave() or engine is None or driver is None:
            return
        if self._loop is not None and not self._loop.is_running():
            driver.detach()
            if not engine.closed:
                self._driver = KeeperDriver(engine)
                self._driver.attach()
        try:
            leave(self, limit)
        except Exception as error:
            tell_left(self, error)

    # -- the verbs -------------------------------------------------------------------------------

    async def push(
        self, queue: str, data: object, *, headers: Headers | None = None, timeout: float | None = None
    ) -> None:
        """Give a job to exactly one worker of ``queue``; it is kept here until a worker has confirmed it.

        Waits only while the queue's outbox is full; ``timeout=0`` never waits. ``data`` is copied
        before the call returns. Cancelled, it has pushed nothing.

        Raises:
            EncodeError: ``data`` would not come back equal; nothing was pushed.
            TimedOut: the outbox stayed full; nothing was pushed.
            NoPeersError: it is full and nobody has pulled it for ``settings.patience``.
            ClosedError: the node is closed.
        """
        self._turn += 1
        if self._turn >= TURN_AFTER:
            await self._take_turn()
        outbox = self._quick.get(queue)
        if outbox is not None and headers is None:
            body, buffers = self._codec.encode(data)
            room = len(outbox.tray) < outbox.tray_room
            if room and len(body) <= TRAY_BYTES and not buffers and self._now() < outbox.tray_due:
                outbox.tray.append(body)
                if not outbox.tray_open:
                    self._look_for(outbox, body)
                return
        else:
            check_name("queue", queue)
            body, buffers, headers = self._encode(data, headers)
        try:
            self._push_nowait(queue, body, buffers, headers)
        except WouldBlock:
            await self._wait(self._push_wish(queue, body, buffers, headers), check_timeout(timeout))

    def pull(self, queue: str, *, prefetch: int | None = None, idle: float | None = None) -> AsyncReceiver:
        """Take jobs of ``queue`` from now on; iterate over what is returned, or await its ``receive``.

        ``prefetch`` fixes how many jobs are fetched ahead (default: about 0.1 s of work, as measured);
        ``idle`` ends the iteration after so many seconds without a job.

        Raises:
            ClosedError: the node is closed.
        """
        return AsyncReceiver(self, check_name("queue", queue), prefetch, check_timeout(idle))

    def queue(self, queue: str) -> AsyncQueue:
        """Return the handle of a queue, for its options and for speed."""
        return AsyncQueue(self, check_name("queue", queue))

    # -- seeing ----------------------------------------------------------------------------------

    async def wait_for(self, *, pull: str, count: int = 1, timeout: float | None = None) -> list[PeerView]:
        """Wait until ``count`` nodes pull a queue (this one included); returns the peers among them.

        Raises:
            TimedOut: not so many in time.
            ClosedError: the node is closed.
        """
        return await self._wait(self._peers_wish(pull, count), check_timeout(timeout))

    async def settle(self, timeout: float | None = None) -> None:
        """Wait until discovery has had its first answers.

        Raises:
            TimedOut: not in time.
            ClosedError: the node is closed.
        """
        await self._wait(self._settled_wish(), check_timeout(timeout))

    async def events(self, timeout: float | None = None) -> AsyncIterator[Event]:
        """Iterate over what happens to the roster, from the oldest event kept (1,000).

        Ends quietly when the node closes, and after ``timeout`` seconds without an event.
        """
        wish, limit = self._event_wish([0]), check_timeout(timeout)
        while True:
            try:
                event = await self._wait(wish, limit)
            except ForkedError:
                raise
            except (ClosedError, TimedOut):
                return
            yield event

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until every job pushed here is confirmed.

        Raises:
            TimedOut: not in time.
            ClosedError: the node is closed.
        """
        await self._wait(self._flush_wish(None), check_timeout(timeout))

    # -- waiting ---------------------------------------------------------------------------------

    async def _take_turn(self) -> None:
        self._turn = 0
        await asyncio.sleep(0)

    async def _wait(self, wish: Wish[ResultT], timeout: float | None) -> ResultT:
        engine, _ = self._opened()
        clock = time.monotonic
        patience = Patience(wish, timeout, self.settings.first_word, clock())
        since = engine.now()
        took = False
        waiter = LoopWaiter(asyncio.get_running_loop())
        try:
            while True:
                with engine.gate:
                    engine.check()
                    try:
                        result = wish.attempt(engine.now(), since)
                        took = True
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

    def _make_driver(self, engine: Engine) -> Driver:
        self._loop = asyncio.get_running_loop()
        return LoopDriver(engine, self._loop)

    def _arrange_exit(self) -> None:
        self._take_back = at_exit(self._abandon, self.settings.drain)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class AsyncQueue:
    """A node's handle of one queue; the verbs on ``AsyncNode`` are its shorthand."""

    def __init__(self, node: AsyncNode, queue: str) -> None:
        self._node, self.name = node, queue

    def __repr__(self) -> str:
        return f"<AsyncQueue {self.name!r} of {self._node!r}>"

    async def push(self, data: object, *, headers: Headers | None = None, timeout: float | None = None) -> None:
        """Give a job to exactly one worker; see ``AsyncNode.push``.

        Raises:
            EncodeError, TimedOut, NoPeersError, ClosedError: as ``AsyncNode.push``.
        """
        await self._node.push(self.name, data, headers=headers, timeout=timeout)

    async def push_many(self, values: Iterable[object], *, timeout: float | None = None) -> int:
        """Push each of ``values``; returns how many. ``timeout`` counts for each.

        Raises:
            EncodeError, TimedOut, NoPeersError, ClosedError: as ``push``; what was pushed before stays pushed.
        """
        count = 0
        for value in values:
            await self._node.push(self.name, value, timeout=timeout)
            count += 1
        return count

    def pull(self, *, prefetch: int | None = None, idle: float | None = None) -> AsyncReceiver:
        """Take jobs; see ``AsyncNode.pull``.

        Raises:
            ClosedError: the node is closed.
        """
        return self._node.pull(self.name, prefetch=prefetch, idle=idle)

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until every job pushed into this queue is confirmed.

        Raises:
            TimedOut: not in time.
            ClosedError: the node is closed.
        """
        await self._node._wait(self._node._flush_wish(self.name), check_timeout(timeout))

    @property
    def depth(self) -> int:
        """How many jobs pushed here are not confirmed."""
        return self._node._depth(self.name)


class AsyncReceiver:
    """Jobs of one queue: iterate, or ``receive``. Asking for the next job acks the one before.

    Leaving the loop acks nothing: the job in hand goes back as a possible repeat, those only fetched
    go back at once, in order. Several tasks may iterate at once; each has its own job in hand. A
    cancelled wait takes nothing.
    """

    def __init__(self, node: AsyncNode, queue: str, prefetch: int | None, idle: float | None) -> None:
        self._node, self.queue, self._idle = node, queue, idle
        self._consumer = node._open_receiver(self, queue, prefetch)
        self._loops: weakref.WeakSet[AsyncLoop] = weakref.WeakSet()
        self.closed = False

    def __repr__(self) -> str:
        state = "closed" if self.closed or self._node.closed else f"{len(self)} waiting here"
        return f"<AsyncReceiver of {self.queue!r}, {state}>"

    def __len__(self) -> int:
        return self._node._waiting(self.queue)

    def __aiter__(self) -> AsyncLoop:
        return AsyncLoop(self)

    async def receive(self, timeout: float | None = None) -> Message:
        """Ack the message before and return the next; ``timeout=0`` never waits.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
        """
        return await self._receive(self._consumer, check_timeout(timeout))

    async def receive_many(self, limit: int, timeout: float | None = None) -> list[Message]:
        """Ack what was received before and return at least one message, at most ``limit``.

        Raises:
            TimedOut: none came in time; nothing was taken.
            ClosedError: the node or the receiver is closed.
        """
        check_limit(limit)
        consumer, seconds = self._consumer, check_timeout(timeout)
        wish = self._node._jobs_wish(self.queue, lambda now, since: consumer.advance_many(limit))
        await self._node._take_turn()
        while True:
            messages = consumer.open_many(await self._wait(wish, consumer, seconds))
            if messages:
                return messages

    async def _receive(self, consumer: Consumer, timeout: float | None) -> Message:
        node = self._node
        node._turn += 1
        if node._turn >= TURN_AFTER:
            await node._take_turn()
        with suppress(WouldBlock):
            return consumer.next_nowait()
        wish = self._node._jobs_wish(self.queue, lambda now, since: consumer.advance())
        while True:
            message = consumer.open_one(await self._wait(wish, consumer, timeout))
            if message is not None:
                return message

    async def _wait(self, wish: Wish[ResultT], consumer: Consumer, timeout: float | None) -> ResultT:
        try:
            return await self._node._wait(wish, timeout)
        except (TimedOut, asyncio.CancelledError):
            consumer.rest()
            raise

    async def ready(self, timeout: float | None = None) -> None:
        """Wait until a job is here.

        Raises:
            TimedOut: none came in time.
            ClosedError: the node is closed.
        """
        await self._node._wait(self._node._ready_wish(self._consumer), check_timeout(timeout))

    def close(self) -> None:
        """Stop pulling: what is in hand goes back as a possible repeat, the rest at once. Twice is once."""
        if not self.closed:
            self.closed = True
            for loop in list(self._loops):
                loop.leave()
            self._node._close_receiver(self, self._consumer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self.closed:
            self._consumer.settle()
        self.close()


class AsyncLoop:
    """One loop over a receiver, with its own job in hand."""

    __slots__ = ("__weakref__", "_consumer", "_receiver")

    def __init__(self, receiver: AsyncReceiver) -> None:
        self._receiver = receiver
        self._consumer = receiver._node._new_consumer(receiver.queue)
        if receiver.closed:
            self._consumer.leave()
        receiver._loops.add(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        receiver = self._receiver
        try:
            return await receiver._receive(self._consumer, receiver._idle)
        except ForkedError:  # not a quiet end: the program goes on in a child as if it were the parent
            raise
        except (ClosedError, TimedOut):
            self._consumer.leave()
            raise StopAsyncIteration from None

    def leave(self) -> None:
        """Give back what is in hand."""
        self._consumer.leave()

    def __del__(self) -> None:
        self._consumer.leave()
