"""Round trips, one after the other: ours, and a DEALER and a ROUTER with msgpack."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq
import zmq.asyncio

import meshmq
from tests.bench.mesh import JOB, LIMIT, address, check, only_tcp, surroundings
from tests.bench.plain import LOOK_MS, bind

if TYPE_CHECKING:
    from tests.bench.side import Stage

SERVICE: Final = "echo"
WARM: Final = 100


def tell_times(stage: Stage, took: list[float]) -> None:
    took.sort()
    stage.tell(half=took[len(took) // 2], most=took[len(took) * 99 // 100])


def request(stage: Stage, *, name: str, runtime: str, transport: str, count: int, peers: list[str]) -> None:
    """Ask ``count`` times and tell how long it took."""
    with surroundings(name, runtime, peers, transport) as options, meshmq.Node(**options) as node:
        only_tcp(transport)
        node.wait_for(reply=SERVICE, timeout=LIMIT)
        clock, took = time.perf_counter, []
        for _ in range(WARM):
            node.request(SERVICE, JOB)
        stage.tell(ready=True)
        stage.wait_for_go()
        for _ in range(count):
            begun = clock()
            check(node.request(SERVICE, JOB))
            took.append(clock() - begun)
        tell_times(stage, took)
        stage.wait_for_stop()


def reply(stage: Stage, *, name: str, runtime: str, transport: str) -> None:
    """Answer, in a loop."""
    with surroundings(name, runtime, [], transport) as options, meshmq.Node(**options) as node:
        only_tcp(transport)
        receiver = node.reply(SERVICE)
        stage.on_stop = receiver.close
        stage.tell(address=address(node))
        for asked in receiver:
            asked.reply(asked.data)


def reply_by_handler(stage: Stage, *, name: str, runtime: str, transport: str) -> None:
    """Answer by a handler, which runs in a thread of the node's."""
    with surroundings(name, runtime, [], transport) as options, meshmq.Node(**options) as node:
        only_tcp(transport)
        node.reply(SERVICE)(lambda data: data)
        stage.tell(address=address(node))
        stage.wait_for_stop()


def request_async(stage: Stage, *, name: str, runtime: str, transport: str, count: int, peers: list[str]) -> None:
    """Do as ``request`` on an event loop."""

    async def run() -> None:
        with surroundings(name, runtime, peers, transport) as options:
            async with meshmq.AsyncNode(**options) as node:
                only_tcp(transport)
                await node.wait_for(reply=SERVICE, timeout=LIMIT)
                clock, took = time.perf_counter, []
                for _ in range(WARM):
                    await node.request(SERVICE, JOB)
                stage.tell(ready=True)
                await asyncio.to_thread(stage.wait_for_go)
                for _ in range(count):
                    begun = clock()
                    check(await node.request(SERVICE, JOB))
                    took.append(clock() - begun)
                tell_times(stage, took)
                await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def reply_async(stage: Stage, *, name: str, runtime: str, transport: str) -> None:
    """Answer by a handler on an event loop."""

    async def echo(data: object) -> object:
        return data

    async def run() -> None:
        with surroundings(name, runtime, [], transport) as options:
            async with meshmq.AsyncNode(**options) as node:
                only_tcp(transport)
                node.reply(SERVICE)(echo)
                stage.tell(address=address(node))
                await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def request_plainly(stage: Stage, *, address: str, count: int) -> None:
    """Do as ``request`` with a DEALER."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.RCVTIMEO, int(LIMIT * 1000))
        socket.connect(address)
        clock, took, pack, unpack = time.perf_counter, [], msgpack.packb, msgpack.unpackb
        for _ in range(WARM):
            socket.send(pack(JOB))
            socket.recv()
        stage.tell(ready=True)
        stage.wait_for_go()
        for _ in range(count):
            begun = clock()
            socket.send(pack(JOB))
            check(unpack(socket.recv()))
            took.append(clock() - begun)
        tell_times(stage, took)
        stage.wait_for_stop()


def reply_plainly(stage: Stage, *, address: str) -> None:
    """Answer with a ROUTER."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.setsockopt(zmq.RCVTIMEO, LOOK_MS)
        stage.tell(address=bind(socket, address))
        pack, unpack = msgpack.packb, msgpack.unpackb
        while not stage.stopped:
            with contextlib.suppress(zmq.Again):
                who, body = socket.recv_multipart()
                socket.send_multipart([who, pack(unpack(body))])


def request_plainly_async(stage: Stage, *, address: str, count: int) -> None:
    """Do as ``request_plainly`` with zmq.asyncio."""

    async def run() -> None:
        with zmq.asyncio.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.connect(address)
            clock, took, pack, unpack = time.perf_counter, [], msgpack.packb, msgpack.unpackb
            for _ in range(WARM):
                await socket.send(pack(JOB))
                await socket.recv()
            stage.tell(ready=True)
            await asyncio.to_thread(stage.wait_for_go)
            for _ in range(count):
                begun = clock()
                await socket.send(pack(JOB))
                check(unpack(await socket.recv()))
                took.append(clock() - begun)
            tell_times(stage, took)
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def reply_plainly_async(stage: Stage, *, address: str) -> None:
    """Do as ``reply_plainly`` with zmq.asyncio."""

    async def run() -> None:
        with zmq.asyncio.Context() as context, context.socket(zmq.ROUTER) as socket:
            stage.tell(address=bind(socket, address))
            task = asyncio.create_task(answer(socket))
            loop = asyncio.get_running_loop()
            stage.on_stop = lambda: loop.call_soon_threadsafe(task.cancel)
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def answer(socket: zmq.asyncio.Socket) -> None:
        while True:
            who, body = await socket.recv_multipart()
            await socket.send_multipart([who, msgpack.packb(msgpack.unpackb(body))])

    asyncio.run(run())
