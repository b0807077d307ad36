"""Asks whoever serves "add" for a sum; waits for one to appear."""

import asyncio

import meshmq


async def main() -> None:
    async with meshmq.AsyncNode() as node:
        print(await node.request("add", [1, 2]))


asyncio.run(main())
