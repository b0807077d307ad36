"""Both faces behind one way of calling: everything is awaited, whichever face does it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import meshmq
from meshmq.testing import Network

Face = Literal["blocking", "aio"]
_BLOCKING: Final = (
    meshmq.Node, meshmq.Queue, meshmq.Receipt, meshmq.Receiver, meshmq.Service, meshmq.Stream, meshmq.Topic,
)  # fmt: skip
_HANDLES: Final = (
    *(meshmq.Queue, meshmq.Receipt, meshmq.Receiver, meshmq.Service, meshmq.Stream, meshmq.Topic),
    *(
        meshmq.AsyncQueue,
        meshmq.AsyncReceipt,
        meshmq.AsyncReceiver,
        meshmq.AsyncService,
        meshmq.AsyncStream,
        meshmq.AsyncTopic,
    ),
)
_END: Final = object()


class Actor:
    """A node, queue or receiver of either face. What is blocking is called in a thread of its own."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._blocking = isinstance(inner, _BLOCKING)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.inner, name)
        return partial(self._call, member) if callable(member) else member

    def __len__(self) -> int:
        return len(self.inner)

    def __repr__(self) -> str:
        return repr(self.inner)

    def __aiter__(self) -> Steps:
        return Steps(iter(self.inner)) if self._blocking else aiter(self.inner)

    async def __aenter__(self) -> Self:
        await self._call(self.inner.__enter__ if self._blocking else self.inner.__aenter__)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave = self.inner.__exit__ if self._blocking else self.inner.__aexit__
        await self._call(leave, kind, error, None)  # a traceback would keep what the frames hold

    async def _call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if self._blocking:
            result = await asyncio.to_thread(function, *arguments, **options)
        else:
            result = function(*arguments, **options)
            if inspect.isawaitable(result):
                result = await result
        return Actor(result) if isinstance(result, _HANDLES) else result


class Steps:
    """A blocking loop, awaited step by step; dropping it drops the loop."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        item = await asyncio.to_thread(next, self._loop, _END)
        if item is _END:
            raise StopAsyncIteration
        return item


class Stage:
    """Where the nodes of one test meet: in memory, or over the ipc sockets of the test's own directory."""

    def __init__(self, face: Face, network: Network | None, mesh: str) -> None:
        self.face, self._network, self._mesh = face, network, mesh
        self._nodes: list[Actor] = []

    async def node(self, name: str, *, journal: Path | None = None, **settings: Any) -> Actor:
        """Open a node; it is closed with the stage."""
        actor = self.unopened(name, journal=journal, **settings)
        await actor.open()
        return actor

    def unopened(self, name: str, *, journal: Path | None = None, **settings: Any) -> Actor:
        """Make a node; it is closed with the stage."""
        kind = meshmq.Node if self.face == "blocking" else meshmq.AsyncNode
        mesh = self._network.mesh if self._network is not None else self._mesh
        node = kind(name, mesh=mesh, journal=journal, settings=meshmq.Settings(**settings))
        if self._network is not None:
            node._place = self._network.open_place(node._id, name)
        actor = Actor(node)
        self._nodes.append(actor)
        return actor

    async def pair(self, queue: str = "jobs", **settings: Any) -> tuple[Actor, Actor]:
        """Open a pusher and a worker; who pulls is for the test to say."""
        return await self.node("pusher", **settings), await self.node("worker", **settings)

    async def close(self) -> None:
        """Close every node, whatever is left."""
        for node in reversed(self._nodes):
            try:
                await node.close(0)
            except meshmq.Undelivered:
                continue


async def taken(receiver: Actor, count: int) -> list[meshmq.Message]:
    """Iterate until there were so many messages, and ack them all."""
    messages: list[meshmq.Message] = []
    async for message in receiver:
        messages.append(message)
        if len(messages) == count:
            message.ack()
            break
    return messages


async def acked(pusher: Actor, queue: str = "jobs") -> int:
    """Return how many jobs of a queue a pusher knows to be done."""
    count = (await pusher.stats())["queues"][queue]["push"]["acked"]
    assert isinstance(count, int)
    return count


async def soon(happened: Callable[[], Awaitable[bool]], limit: float = 10.0) -> None:
    """Wait until something that nobody announces has happened; look again now and then."""
    never = asyncio.Event()
    async with asyncio.timeout(limit):
        while not await happened():
            with suppress(TimeoutError):
                await asyncio.wait_for(never.wait(), 0.002)
