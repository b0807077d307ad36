"""A program that only has handlers and runs: of the face named first, with the drain named second."""

import asyncio
import sys
import threading
import time
from typing import Any

import meshmq

FACE, DRAIN = sys.argv[1], float(sys.argv[2])
never = threading.Event()
loops: list[asyncio.AbstractEventLoop] = []


def hold_the_interpreter(seconds: float) -> str:
    """Compute without letting any other thread run."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1_000)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    sys.setswitchinterval(interval)
    return "held"


settings = meshmq.Settings(drain=DRAIN)
kind = meshmq.Node if FACE == "blocking" else meshmq.AsyncNode
node: meshmq.Node | meshmq.AsyncNode = kind("server", settings=settings)

if isinstance(node, meshmq.Node):
    blocking = node

    @node.pull("jobs", concurrency=2)
    def handle(data: Any) -> None:
        never.wait(0.01)
        blocking.push("done", data)

    @node.reply("block", concurrency=2)
    def block(seconds: float) -> str:
        never.wait(seconds)
        return "blocked"

else:
    aio = node
    waiting = asyncio.Event()

    @node.pull("jobs", concurrency=2)
    async def handle_awaited(data: Any) -> None:
        await asyncio.wait([asyncio.ensure_future(waiting.wait())], timeout=0.01)
        await aio.push("done", data)

    @node.reply("block", concurrency=2)
    async def block_awaited(seconds: float) -> str:
        await asyncio.wait([asyncio.ensure_future(waiting.wait())], timeout=seconds)
        return "blocked"


def block_for_ever(data: Any) -> None:
    print("begun", flush=True)
    never.wait()


def hold(seconds: float) -> str:
    return hold_the_interpreter(seconds)


class Unspeakable(BaseException):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise self

    __repr__ = __str__


def fail(how: str) -> object:
    if how == "RecursionError":
        return fail(how)
    errors: dict[str, BaseException] = {
        "ValueError": ValueError("x" * 10**6),
        "SystemExit": SystemExit(3),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "GeneratorExit": GeneratorExit(),
        "StopIteration": StopIteration(),
        "Unspeakable": Unspeakable(),
    }
    if how in errors:
        raise errors[how]
    return object()  # which cannot be sent


def echo(data: Any) -> Any:
    return data


def stop(data: Any) -> str:
    threading.Thread(target=stop_apart).start()
    return "stopping"


def stop_apart() -> None:
    if isinstance(node, meshmq.Node):
        node.drain()
    else:
        asyncio.run_coroutine_threadsafe(node.drain(), loops[0])


node.pull("blocking")(block_for_ever)
node.reply("hold")(hold)
node.reply("echo")(echo)
node.reply("fail")(fail)
node.reply("stop")(stop)


async def main() -> None:
    loops.append(asyncio.get_running_loop())
    assert isinstance(node, meshmq.AsyncNode)
    await node.run()


if __name__ == "__main__":
    if isinstance(node, meshmq.Node):
        node.run()
    else:
        asyncio.run(main())
    print("returned", flush=True)
