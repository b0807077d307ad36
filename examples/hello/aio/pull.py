"""Prints every job of the queue "hello"; Ctrl-C ends it."""

import asyncio

import meshmq


async def main() -> None:
    async with meshmq.AsyncNode() as node:
        async for message in node.pull("hello"):
            print(message.data, flush=True)


asyncio.run(main())
