"""Prints what is published to topics below "hello"; Ctrl-C ends it."""

import asyncio

import meshmq


async def main() -> None:
    async with meshmq.AsyncNode() as node:
        async for message in node.subscribe("hello.*"):
            print(message.topic, message.data, flush=True)


asyncio.run(main())
