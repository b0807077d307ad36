"""MeshMQ's parts: a pusher that has every job confirmed, and a worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import meshmq

if TYPE_CHECKING:
    from tests.bench.side import Stage

JOB: Final = {"id": 12345, "name": "kitchen", "temp": 21.5, "ok": True}
WARM: Final = 1_000
LIMIT: Final = 60.0
#: What a module that cannot be imported is for the import system.
MISSING: Final[Any] = None


@contextlib.contextmanager
def surroundings(name: str, runtime: str, peers: list[str], transport: str) -> Iterator[dict[str, Any]]:
    """Give what a node is made with so that it meets the others over this transport and no other."""
    os.environ.update(MESHMQ_MESH=name, MESHMQ_INTERFACES="127.0.0.1")
    if transport == "ipc":
        os.environ["MESHMQ_RUNTIME_DIR"] = runtime
        yield {}
        return
    sys.modules["zeroconf.asyncio"] = MISSING  # addresses are given
    with tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp") as alone:
        os.environ["MESHMQ_RUNTIME_DIR"] = alone
        yield {"insecure": True, "peers": peers}


def only_tcp(transport: str) -> None:
    """Take the node's unix sockets away from those who know their path from its card."""
    if transport == "tcp":
        for unix_socket in Path(os.environ["MESHMQ_RUNTIME_DIR"]).rglob("*.[cd]"):
            unix_socket.unlink()


def address(node: meshmq.Node | meshmq.AsyncNode) -> str:
    return node.addresses[-1].removeprefix("tcp://")


def push(
    stage: Stage,
    *,
    name: str,
    runtime: str,
    transport: str,
    count: int,
    workers: int,
    peers: list[str],
    warm: int = WARM,
    through: bool = False,
) -> None:
    """Push ``count`` jobs and tell how long it took until all were confirmed; ``through`` a device if so told."""
    with surroundings(name, runtime, peers, transport) as options, meshmq.Node(**options) as node:
        only_tcp(transport)
        node.wait_for(pull="jobs", count=workers, timeout=LIMIT)
        for _ in node.events(LIMIT) if through else ():
            if any(peer.forwards for peer in node.peers()):
                break
        for _ in range(warm):
            node.push("jobs", JOB)
        node.flush(LIMIT)
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.perf_counter()
        for _ in range(count):
            node.push("jobs", JOB)
        node.flush(LIMIT)
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def pull(stage: Stage, *, name: str, runtime: str, transport: str, work: float = 0.0) -> None:
    """Pull until told to stop; each job takes ``work`` seconds."""
    pause = threading.Event()
    jobs, busy = 0, 0.0
    with surroundings(name, runtime, [], transport) as options, meshmq.Node(**options) as node:
        only_tcp(transport)
        receiver = node.pull("jobs")
        stage.on_stop = receiver.close
        stage.tell(address=address(node))
        if not work:
            for message in receiver:
                check(message.data)
        else:
            for _ in receiver:
                begun = time.perf_counter()
                pause.wait(work)
                jobs, busy = jobs + 1, busy + time.perf_counter() - begun
    stage.tell(jobs=jobs, busy=busy)


def device(stage: Stage, *, name: str, runtime: str, transport: str) -> None:
    """Stand between until told to stop."""
    with surroundings(name, runtime, [], transport) as options, meshmq.Node(**options) as node:
        only_tcp(transport)
        node.device(queues=["jobs"])
        stage.tell(address=address(node))
        stage.wait_for_stop()


def tap(stage: Stage, *, name: str, runtime: str, transport: str, peers: list[str]) -> None:
    """Tap the device until told to stop."""
    with surroundings(name, runtime, peers, transport) as options, meshmq.Node(**options) as node:
        only_tcp(transport)
        copies = node.subscribe("meshmq.tap.jobs")
        for _ in node.events(LIMIT):
            if any(peer.forwards for peer in node.peers()):
                break
        copies.ready(LIMIT)
        stage.on_stop = copies.close
        stage.tell(taps=True)
        for copy in copies:
            check(copy.data)


def push_async(
    stage: Stage, *, name: str, runtime: str, transport: str, count: int, workers: int, peers: list[str]
) -> None:
    """Do as ``push`` on an event loop."""

    async def run() -> None:
        with surroundings(name, runtime, peers, transport) as options:
            async with meshmq.AsyncNode(**options) as node:
                only_tcp(transport)
                await node.wait_for(pull="jobs", count=workers, timeout=LIMIT)
                for _ in range(WARM):
                    await node.push("jobs", JOB)
                await node.flush(LIMIT)
                stage.tell(ready=True)
                await asyncio.to_thread(stage.wait_for_go)
                begun = time.perf_counter()
                for _ in range(count):
                    await node.push("jobs", JOB)
                await node.flush(LIMIT)
                stage.tell(seconds=time.perf_counter() - begun)
                await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def pull_async(stage: Stage, *, name: str, runtime: str, transport: str) -> None:
    """Do as ``pull`` on an event loop."""

    async def run() -> None:
        with surroundings(name, runtime, [], transport) as options:
            async with meshmq.AsyncNode(**options) as node:
                only_tcp(transport)
                task = asyncio.create_task(take(node))
                loop = asyncio.get_running_loop()
                stage.on_stop = lambda: loop.call_soon_threadsafe(task.cancel)
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def take(node: meshmq.AsyncNode) -> None:
        receiver = node.pull("jobs")
        stage.tell(address=address(node))
        async for message in receiver:
            check(message.data)

    asyncio.run(run())
    stage.tell(jobs=0, busy=0.0)


def check(data: object) -> None:
    """Look at the data as a worker would: it has been unpacked."""
    if not isinstance(data, dict) or data["id"] != JOB["id"]:
        raise AssertionError(f"{data!r} is not what was pushed")
