"""A pusher that leaves in a given way, when told to on stdin; says what it was told of what stayed."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import select
import sys
from collections.abc import Callable, Coroutine

import meshmq

WAYS = (
    *("close", "with", "nothing", "exception", "exit", "bare_exit"),
    *("async_with", "async_nothing", "async_exception", "async_cancelled", "async_close_cancelled"),
)
FAILED = 1
ASKED_FOR = 3


def tell(*words: object) -> None:
    """Write one line at once and whole."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def tell_left(left: meshmq.Undelivered) -> None:
    tell("left", json.dumps({"queues": left.queues, "unsent": left.unsent, "unconfirmed": left.unconfirmed}))


def wait_for_word() -> None:
    """Return at the next line on stdin; signals strike here."""
    tell("waiting")
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        pass  # Python runs no handler of a signal that strikes on the way into a read: not before the read ends
    sys.stdin.readline()
    tell("leaving")


class Leaver:
    """One way to leave per method."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.settings = meshmq.Settings(drain=arguments.drain, heartbeat=0.25, silence=1.0)

    def run(self, main: Coroutine[object, object, None]) -> None:
        factory = None
        if self.arguments.uvloop:
            import uvloop

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main)

    def push(self) -> meshmq.Node:
        node = meshmq.Node("leaver", settings=self.settings)
        if self.arguments.workers:
            node.wait_for(pull="jobs", count=self.arguments.workers, timeout=20)
        node.queue("jobs").push_many(range(self.arguments.jobs))
        return node

    async def push_async(self) -> meshmq.AsyncNode:
        node = meshmq.AsyncNode("leaver", settings=self.settings)
        if self.arguments.workers:
            await node.wait_for(pull="jobs", count=self.arguments.workers, timeout=20)
        await node.queue("jobs").push_many(range(self.arguments.jobs))
        return node

    async def word(self) -> None:
        tell("waiting")
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.readline()
        transport.close()
        tell("leaving")

    def close(self) -> None:
        node = self.push()
        wait_for_word()
        node.close()

    def with_(self) -> None:
        with self.push():
            wait_for_word()

    def nothing(self) -> None:
        self.push()
        wait_for_word()

    def exception(self) -> None:
        with self.push():
            wait_for_word()
            raise RuntimeError("told to")

    def exit(self) -> None:
        with self.push():
            wait_for_word()
            sys.exit(ASKED_FOR)

    def bare_exit(self) -> None:
        self.push()
        wait_for_word()
        sys.exit(ASKED_FOR)

    def async_with(self) -> None:
        async def main() -> None:
            async with await self.push_async():
                await self.word()

        self.run(main())

    def async_nothing(self) -> None:
        async def main() -> None:
            await self.push_async()
            await self.word()

        self.run(main())

    def async_exception(self) -> None:
        async def main() -> None:
            async with await self.push_async():
                await self.word()
                raise RuntimeError("told to")

        self.run(main())

    def async_cancelled(self) -> None:
        async def work() -> None:
            async with await self.push_async():
                await self.word()
                told.set()
                await asyncio.Event().wait()

        async def main() -> None:
            task = asyncio.create_task(work())
            await told.wait()
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                tell("cancelled")

        told = asyncio.Event()
        self.run(main())

    def async_close_cancelled(self) -> None:
        async def main() -> None:
            node = await self.push_async()
            await self.word()
            task = asyncio.create_task(node.close())
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                tell("cancelled")

        self.run(main())


def main() -> None:
    ways: dict[str, Callable[[Leaver], None]] = {
        name.rstrip("_"): way for name, way in vars(Leaver).items() if name.rstrip("_") in WAYS
    }
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=ways)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0, help="to wait for before pushing")
    parser.add_argument("--drain", type=float, default=1.0)
    parser.add_argument("--uvloop", action="store_true")
    arguments = parser.parse_args()
    try:
        ways[arguments.way](Leaver(arguments))
    except meshmq.Undelivered as left:
        tell_left(left)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
