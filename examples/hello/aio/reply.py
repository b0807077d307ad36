"""Serves "add" until Ctrl-C or SIGTERM."""

import asyncio

import meshmq

node = meshmq.AsyncNode()


@node.reply("add")
async def add(numbers: list[int]) -> int:
    return sum(numbers)


asyncio.run(node.run())
