"""Publishes one message to all who have subscribed; leaves when they have it."""

import asyncio

import meshmq


async def main() -> None:
    async with meshmq.AsyncNode() as node:
        await node.publish("hello.world", {"n": 1})


asyncio.run(main())
