"""The same with zmq.asyncio: PUSH and PULL, PUB and SUB, DEALER and ROUTER."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq
import zmq.asyncio

from meshmq.bench.plain.publish import HEAD, HELLO
from meshmq.bench.plain.sockets import bind
from meshmq.bench.publish import IDLE, heard
from meshmq.bench.trips import AskAsync, ask_all_async
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import LIMIT, Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

Socket = zmq.asyncio.Socket


def push(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push a share of the jobs and tell how long it took until all had arrived."""

    async def run() -> None:
        value, pack, me = value_of(work), msgpack.packb, str(number).encode()
        with zmq.asyncio.Context() as context, context.socket(zmq.PUSH) as out, context.socket(zmq.DEALER) as marks:
            marks.setsockopt(zmq.ROUTING_ID, me)
            for address in addresses:
                jobs, _, answers = address.partition(" ")
                out.connect(jobs)
                marks.connect(answers)
            for _ in addresses:
                await marks.send(b"")
            await _all_arrived(out, marks, me, len(addresses))
            for _ in range(work.warm):
                await out.send(pack(value))
            await _all_arrived(out, marks, me, len(addresses))
            stage.tell(ready=True)
            await asyncio.to_thread(stage.wait_for_go)
            begun = time.perf_counter()
            for _ in range(work.share):
                await out.send(pack(value))
            await _all_arrived(out, marks, me, len(addresses))
            stage.tell(seconds=time.perf_counter() - begun)
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


async def _all_arrived(out: Socket, marks: Socket, me: bytes, workers: int) -> None:
    had: set[bytes] = set()
    while len(had) < workers:
        for _ in range(workers):
            await out.send_multipart((b"", me))
        for _ in range(workers):
            had.add(await marks.recv())


def pull(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until told to stop."""
    check, unpack, had = check_of(work), msgpack.unpackb, 0

    async def take(context: zmq.asyncio.Context) -> None:
        nonlocal had
        known: set[bytes] = set()
        with context.socket(zmq.PULL) as jobs, context.socket(zmq.ROUTER) as answers:
            bound = bind(jobs, place.bind("jobs", number)), bind(answers, place.bind("answers", number))
            stage.tell(address=" ".join(bound))
            while True:
                if data := await jobs.recv():
                    check(unpack(data))
                    had += 1
                    continue
                who = await jobs.recv()
                while who not in known:
                    known.add((await answers.recv_multipart())[0])
                await answers.send_multipart((who, b"%d" % number))

    asyncio.run(_until_stopped(stage, take))
    stage.tell(had=had)


def publish(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Publish a share of the messages."""

    async def run() -> None:
        value, pack = value_of(work), msgpack.packb
        with zmq.asyncio.Context() as context, context.socket(zmq.PUB) as out:
            out.setsockopt(zmq.LINGER, 1_000)
            for address in addresses:
                out.connect(address)
            stage.tell(ready=True)
            while not await asyncio.to_thread(stage.wait_for_go, 0.01):
                await out.send(HELLO + b"%d" % number)
            begun = time.perf_counter()
            for _ in range(work.share):
                await out.send(HEAD + pack(value))
            stage.tell(seconds=time.perf_counter() - begun)
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def subscribe(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Count what comes."""
    check, clock, unpack = check_of(work), time.perf_counter, msgpack.unpackb
    received, first, last = 0, 0.0, 0.0

    async def listen(socket: Socket) -> None:
        nonlocal received, first, last
        while True:
            _, _, body = (await socket.recv()).partition(b"\0")
            if not body[0]:  # a hello
                continue
            check(unpack(body))
            last = clock()
            first = first or last
            received += 1

    async def run() -> None:
        with zmq.asyncio.Context() as context, context.socket(zmq.SUB) as socket:
            socket.setsockopt(zmq.SUBSCRIBE, HEAD)
            stage.tell(address=bind(socket, place.bind("values", number)))
            here: set[bytes] = set()
            while len(here) < work.senders:
                here.add(await asyncio.wait_for(socket.recv(), LIMIT))
            stage.tell(here=True)
            task, before = asyncio.create_task(listen(socket)), -1
            while received == 0 or received != before:
                before = received
                await asyncio.wait([task], timeout=IDLE)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            stage.tell(**heard(received, first, last))
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def request(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Ask a share of the times, and tell how long it took; for several at a time a task and a DEALER each."""

    async def run() -> None:
        value, check, pack, unpack = value_of(work), check_of(work), msgpack.packb, msgpack.unpackb

        def asker(socket: Socket) -> AskAsync:
            for address in addresses:
                socket.connect(address)

            async def ask() -> None:
                await socket.send(pack(value))
                check(unpack(await socket.recv()))

            return ask

        with zmq.asyncio.Context() as context, contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(context.socket(zmq.DEALER)) for _ in range(work.in_flight)]
            await ask_all_async(stage, work, [asker(socket) for socket in sockets])
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def reply(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Answer, in a loop."""
    pack, unpack = msgpack.packb, msgpack.unpackb

    async def answer(context: zmq.asyncio.Context) -> None:
        with context.socket(zmq.ROUTER) as socket:
            stage.tell(address=bind(socket, place.bind("echo", number)))
            while True:
                who, body = await socket.recv_multipart()
                await socket.send_multipart([who, pack(unpack(body))])

    asyncio.run(_until_stopped(stage, answer))


async def _until_stopped(stage: Stage, work: Any) -> None:
    with zmq.asyncio.Context() as context:
        serve: Coroutine[Any, Any, None] = work(context)
        task = asyncio.create_task(serve)
        loop = asyncio.get_running_loop()
        stage.on_stop = lambda: loop.call_soon_threadsafe(task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task
