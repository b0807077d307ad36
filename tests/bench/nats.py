"""NATS JetStream: asynchronous publishing with acks, and a consumer that acks each message."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import nats
from nats.js.api import ConsumerConfig

from meshmq.bench.kinds import Side
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import LIMIT, Place, Work
from tests.bench.brokers import NATS
from tests.bench.counted import Counted

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

_HERE: Final = "tests.bench.nats"
PUSH: Final = Side(NATS.name, f"{_HERE}:push", f"{_HERE}:pull", greets=True, counted=True, share=0.1)
#: Messages that are not acked by the server at a time (twice as fast as to let the client wait for each that is too
#: many), and those that the consumer has not acked.
_WINDOW: Final = 500
_PENDING: Final = 10_000


def push(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push the jobs, each acked by the server."""

    async def run() -> None:
        value, pack, subject = value_of(work), msgpack.packb, place.mesh
        client = await nats.connect(NATS.where)
        stream = client.jetstream()

        async def send(count: int) -> None:
            for start in range(0, count, _WINDOW):
                for _ in range(min(_WINDOW, count - start)):
                    await stream.publish_async(subject, pack(value))
                await asyncio.wait_for(stream.publish_async_completed(), LIMIT)

        await send(work.warm)
        stage.tell(ready=True)
        await asyncio.to_thread(stage.wait_for_go)
        begun = time.perf_counter()
        await send(work.share)
        stage.tell(begun=begun, seconds=time.perf_counter() - begun)
        await asyncio.to_thread(stage.wait_for_stop)
        await client.close()

    asyncio.run(run())


def pull(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until all is done, and ack each: in the callback of a push consumer, twice as fast as by fetching."""

    async def run() -> None:
        check, unpack, counted = check_of(work), msgpack.unpackb, Counted(stage, work)
        client = await nats.connect(NATS.where)
        stream = client.jetstream()
        await stream.add_stream(name=place.mesh, subjects=[place.mesh])

        async def work_on(message: Any) -> None:
            check(unpack(message.data))
            await message.ack()
            counted.add()

        config = ConsumerConfig(max_ack_pending=_PENDING)
        await stream.subscribe(place.mesh, durable="bench", cb=work_on, manual_ack=True, config=config)
        stage.tell(address="")
        await asyncio.to_thread(stage.wait_for_stop)
        await stream.delete_stream(place.mesh)
        await client.close()

    asyncio.run(run())
