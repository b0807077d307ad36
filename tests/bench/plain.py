"""What people write by hand: PUSH and PULL with msgpack for each message, and no acks.

A pusher ends with a mark for each worker; a worker answers it with what it has had, so that the
time told is until the last job has arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq
import zmq.asyncio

from tests.bench.mesh import JOB, WARM, check

if TYPE_CHECKING:
    from tests.bench.side import Stage

MARK: Final = b""
LOOK_MS: Final = 50


def push(stage: Stage, *, jobs: str, counts: str, count: int, workers: int, warm: int = WARM) -> None:
    """Push ``count`` jobs and tell how long it took until all had arrived."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as out, context.socket(zmq.PULL) as back:
        stage.tell(jobs=bind(out, jobs), counts=bind(back, counts))
        had: dict[bytes, int] = {}
        while len(had) < workers:  # each says that it is here
            had[back.recv()] = 0
        pack = msgpack.packb
        for _ in range(warm):
            out.send(pack(JOB))
        arrived(out, back, had, warm)
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.perf_counter()
        for _ in range(count):
            out.send(pack(JOB))
        arrived(out, back, had, warm + count)
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def arrived(out: zmq.SyncSocket, back: zmq.SyncSocket, had: dict[bytes, int], count: int) -> None:
    """Wait until the workers have had ``count`` jobs in all."""
    while sum(had.values()) < count:
        for _ in had:
            out.send(MARK)
        for _ in had:
            name, number = msgpack.unpackb(back.recv())
            had[name] = number


def pull(stage: Stage, *, name: str, jobs: str, counts: str, work: float = 0.0) -> None:
    """Pull until told to stop; each job takes ``work`` seconds."""
    pause = threading.Event()
    had, busy = 0, 0.0
    with zmq.Context() as context, context.socket(zmq.PULL) as socket, context.socket(zmq.PUSH) as back:
        socket.connect(jobs)
        back.connect(counts)
        back.send(name.encode())
        socket.setsockopt(zmq.RCVTIMEO, LOOK_MS)
        stage.tell(here=True)
        receive, unpack = socket.recv, msgpack.unpackb
        while not stage.stopped:
            with contextlib.suppress(zmq.Again):
                while data := receive():
                    check(unpack(data))
                    had += 1
                    if work:
                        begun = time.perf_counter()
                        pause.wait(work)
                        busy += time.perf_counter() - begun
                back.send(msgpack.packb((name.encode(), had)))  # the mark
    stage.tell(jobs=had, busy=busy)


def push_async(stage: Stage, *, jobs: str, counts: str, count: int, workers: int) -> None:
    """Do as ``push`` with zmq.asyncio."""

    async def run() -> None:
        with zmq.asyncio.Context() as context, context.socket(zmq.PUSH) as out, context.socket(zmq.PULL) as back:
            stage.tell(jobs=bind(out, jobs), counts=bind(back, counts))
            had: dict[bytes, int] = {}
            while len(had) < workers:
                had[await back.recv()] = 0
            pack = msgpack.packb
            for _ in range(WARM):
                await out.send(pack(JOB))
            await all_arrived(out, back, had, WARM)
            stage.tell(ready=True)
            await asyncio.to_thread(stage.wait_for_go)
            begun = time.perf_counter()
            for _ in range(count):
                await out.send(pack(JOB))
            await all_arrived(out, back, had, WARM + count)
            stage.tell(seconds=time.perf_counter() - begun)
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


async def all_arrived(out: zmq.asyncio.Socket, back: zmq.asyncio.Socket, had: dict[bytes, int], count: int) -> None:
    """Do as ``arrived``."""
    while sum(had.values()) < count:
        for _ in had:
            await out.send(MARK)
        for _ in had:
            name, number = msgpack.unpackb(await back.recv())
            had[name] = number


def pull_async(stage: Stage, *, name: str, jobs: str, counts: str) -> None:
    """Do as ``pull`` with zmq.asyncio."""

    async def run() -> None:
        with zmq.asyncio.Context() as context, context.socket(zmq.PULL) as socket, context.socket(zmq.PUSH) as back:
            socket.connect(jobs)
            back.connect(counts)
            await back.send(name.encode())
            task = asyncio.create_task(take(socket, back))
            loop = asyncio.get_running_loop()
            stage.on_stop = lambda: loop.call_soon_threadsafe(task.cancel)
            stage.tell(here=True)
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def take(socket: zmq.asyncio.Socket, back: zmq.asyncio.Socket) -> None:
        had = 0
        unpack = msgpack.unpackb
        while True:
            data = await socket.recv()
            if data == MARK:
                await back.send(msgpack.packb((name.encode(), had)))
                continue
            check(unpack(data))
            had += 1

    asyncio.run(run())
    stage.tell(jobs=0, busy=0.0)


def bind(socket: Any, address: str) -> str:
    """Bind to an address, or to any port of one that ends in a star; return where it is bound."""
    socket.bind(address)
    bound: bytes = socket.getsockopt(zmq.LAST_ENDPOINT)
    return bound.rstrip(b"\0").decode()
