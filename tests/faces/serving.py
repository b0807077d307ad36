"""A server in a test's hand: what comes for one service is noted, and answered when and as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import meshmq
from meshmq.core.calls.incoming import Incoming
from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.wire.calls import Failure, Value, pack_failure
from tests.faces.stage import Actor, Stage

Handler = Callable[["Asked"], Awaitable[object]]
#: What a handler returns that gives no answer.
NOTHING = object()


class Asked:
    """One request, in the hands of a test."""

    def __init__(self, server: Server, incoming: Incoming) -> None:
        self._server, self.incoming = server, incoming
        self.data: Any = server.node._codec.decode(incoming.value.body, incoming.value.buffers)

    def item(self, data: object) -> bool:
        """Send an item of a stream; ``False`` where there is no credit, or nobody takes it."""
        value = self._server.encode(data)
        with suppress(WouldBlock):
            return bool(self._server.do(lambda one, now: one.calls.server.item(self.incoming, value, now)))
        return False

    def end(self) -> None:
        self._server.do(lambda one, now: one.calls.server.end(self.incoming, now))

    def answer(self, data: object) -> None:
        value = self._server.encode(data)
        self._server.do(lambda one, now: one.calls.server.answer(self.incoming, value, now))

    def fail(self, error: Exception) -> None:
        failure = Failure(type(error).__name__, str(error), "Traceback ...", self._server.node.name)
        packed = pack_failure(failure)
        self._server.do(lambda one, now: one.calls.server.fail(self.incoming, packed, now))


class Server:
    """Serves ``service`` on a node of either face by ``handler``, each request in a task."""

    def __init__(self, actor: Actor, service: str, handler: Handler) -> None:
        self.node: meshmq.Node | meshmq.AsyncNode = actor.inner
        self.service, self._handler = service, handler
        self.asked: list[Asked] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, act: Callable[[Participant, float], Any]) -> Any:
        """Do something inside the gate."""
        engine, participant = self.node._opened()
        with engine.gate:
            try:
                return act(participant, engine.now())
            finally:
                engine.flush()

    def encode(self, data: object) -> Value:
        return Value(*self.node._codec.encode(data))

    async def __aenter__(self) -> Self:
        self.do(lambda one, now: one.calls.server.serve(self.service, now))
        self._tasks.add(asyncio.create_task(self._serve()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self) -> None:
        never = asyncio.Event()
        while True:  # looks now and then: who waits is for the receivers to test
            try:
                incoming = self.do(lambda one, now: one.calls.server.take(self.service, now))
            except WouldBlock:
                with suppress(TimeoutError):
                    await asyncio.wait_for(never.wait(), 0.002)
                continue
            asked = Asked(self, incoming)
            self.asked.append(asked)
            task = asyncio.create_task(self._handle(asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _handle(self, asked: Asked) -> None:
        try:
            answer = await self._handler(asked)
        except Exception as error:
            asked.fail(error)
        else:
            if answer is not NOTHING:
                asked.answer(answer)


async def pair(stage: Stage, **settings: Any) -> tuple[Actor, Actor]:
    return await stage.node("caller", **settings), await stage.node("server")


async def never(asked: Asked) -> object:
    return NOTHING


async def has_asked(serving: Server, count: int) -> bool:
    return len(serving.asked) >= count


async def is_cancelled(asked: Asked) -> bool:
    return asked.incoming.cancelled
