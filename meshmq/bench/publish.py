"""MeshMQ's publishers at full speed, and subscribers that count what comes and what is told as missed.

Nobody paces anybody: a subscriber takes what it can. It is over when nothing has come for a while.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from meshmq.bench.nodes import address, opened, opened_async
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import LIMIT, Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

TOPIC: Final = "bench.values"
#: Longer than a topic must be quiet until the last number is told.
IDLE: Final = 0.6


def publish(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Publish a share of the messages."""
    value = value_of(work)
    with opened(work, place, addresses) as node:
        node.wait_for(subscribe=TOPIC, count=work.receivers, timeout=LIMIT)
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.perf_counter()
        for _ in range(work.share):
            node.publish(TOPIC, value)
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def subscribe(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Count what comes, and tell what was missed."""
    check, clock = check_of(work), time.perf_counter
    with opened(work, place) as node:
        receiver = node.subscribe(TOPIC, idle=IDLE)
        stage.tell(address=address(node))
        received, first, last = 0, 0.0, 0.0
        while not received and not stage.stopped:  # it has not begun yet
            for message in receiver:
                check(message.data)
                last = clock()
                if not received:
                    first = last
                received += 1
        stage.tell(**heard(received, first, last), missed=receiver.missed)
        stage.wait_for_stop()


def publish_async(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Do as ``publish`` on an event loop."""

    async def run() -> None:
        value = value_of(work)
        async with opened_async(work, place, addresses) as node:
            await node.wait_for(subscribe=TOPIC, count=work.receivers, timeout=LIMIT)
            stage.tell(ready=True)
            await asyncio.to_thread(stage.wait_for_go)
            begun = time.perf_counter()
            for _ in range(work.share):
                await node.publish(TOPIC, value)
            stage.tell(seconds=time.perf_counter() - begun)
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def subscribe_async(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Do as ``subscribe`` on an event loop."""

    async def run() -> None:
        check, clock = check_of(work), time.perf_counter
        async with opened_async(work, place) as node:
            receiver = node.subscribe(TOPIC, idle=IDLE)
            stage.tell(address=address(node))
            received, first, last = 0, 0.0, 0.0
            while not received and not stage.stopped:
                async for message in receiver:
                    check(message.data)
                    last = clock()
                    if not received:
                        first = last
                    received += 1
            stage.tell(**heard(received, first, last), missed=receiver.missed)
            await asyncio.to_thread(stage.wait_for_stop)

    asyncio.run(run())


def heard(received: int, first: float, last: float) -> dict[str, Any]:
    """Return what a subscriber tells: how many came, and from the first to the last how fast."""
    return {"received": received, "pace": (received - 1) / (last - first) if received > 1 else 0.0}
