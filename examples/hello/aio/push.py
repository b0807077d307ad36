"""Pushes one job into the queue "hello"; leaves when a worker has confirmed it."""

import asyncio

import meshmq


async def main() -> None:
    async with meshmq.AsyncNode() as node:
        await node.push("hello", {"n": 1})


asyncio.run(main())
