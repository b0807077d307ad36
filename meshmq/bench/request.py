"""MeshMQ's clients and servers: an echo."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from meshmq.bench.nodes import address, opened, opened_async
from meshmq.bench.trips import ask_all, ask_all_async
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import LIMIT, Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

SERVICE: Final = "echo"


def request(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Ask a share of the times, and tell how long it took."""
    value, check = value_of(work), check_of(work)
    with opened(work, place, addresses) as node:
        node.wait_for(reply=SERVICE, count=work.receivers, timeout=LIMIT)

        def ask() -> None:
            check(node.request(SERVICE, value))

        ask_all(stage, work, [ask] * work.in_flight)
        stage.wait_for_stop()


def reply(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Answer, in a loop."""
    with opened(work, place) as node:
        receiver = node.reply(SERVICE)
        stage.on_stop = receiver.close
        stage.tell(address=address(node))
        for asked in receiver:
            asked.reply(asked.data)


def reply_by_handler(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Answer by a handler, which runs in a thread of the node's."""
    with opened(work, place) as node:
        node.reply(SERVICE)(lambda data: data)
        stage.tell(address=address(node))
        stage.wait_for_stop()


def request_async(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Do as ``request`` on an event loop."""

    async def run() -> None:
        value, check = value_of(work), check_of(work)
        async with opened_async(work, place, addresses) as node:
            await node.wait_for(reply=SERVICE, count=work.receivers, timeout=LIMIT)

            async def ask() -> None:
                check(await node.request(SERVICE, value))

            await ask_all_async(stage, work, [ask] * work.in_flight)
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def reply_async(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Answer, in a loop of a task."""

    async def run() -> None:
        async with opened_async(work, place) as node:
            receiver = node.reply(SERVICE)

            async def answer() -> None:
                async for asked in receiver:
                    asked.reply(asked.data)

            answering = asyncio.create_task(answer())
            stage.tell(address=address(node))
            await asyncio.to_thread(stage.wait_for_stop)
            receiver.close()
            await answering

    asyncio.run(run())


def reply_by_handler_async(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Answer by a handler, each time in a task."""

    async def echo(data: object) -> object:
        return data

    async def run() -> None:
        async with opened_async(work, place) as node:
            node.reply(SERVICE)(echo)
            stage.tell(address=address(node))
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())
