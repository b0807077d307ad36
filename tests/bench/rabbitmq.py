"""RabbitMQ by pika: a durable queue, publisher confirms as they come, a consumer that acks each message."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import pika
from pika.adapters.asyncio_connection import AsyncioConnection

from meshmq.bench.kinds import Side
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import LIMIT, Place, Work
from tests.bench.brokers import RABBITMQ
from tests.bench.counted import Counted

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

_HERE: Final = "tests.bench.rabbitmq"
PUSH: Final = Side(RABBITMQ.name, f"{_HERE}:push", f"{_HERE}:pull", greets=True, counted=True, share=0.05)
#: Messages that are not confirmed at a time, and those that the consumer has not acked.
_WINDOW: Final = 1_000
_LOOK: Final = 0.05


class Confirms:
    """A channel whose server confirms what is published; waits while a window of it is not."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._published = self._confirmed = 0
        self._changed = asyncio.Event()
        channel.confirm_delivery(self._confirm)

    def _confirm(self, frame: Any) -> None:
        if not isinstance(frame.method, pika.spec.Basic.Ack):
            raise AssertionError(f"{frame.method} is no ack")
        self._confirmed = max(self._confirmed, frame.method.delivery_tag)  # one for many names the last of them
        self._changed.set()

    async def publish(self, queue: str, body: bytes) -> None:
        """Publish one."""
        self._channel.basic_publish("", queue, body)
        self._published += 1
        if self._published - self._confirmed >= _WINDOW:
            await self.until(self._published - _WINDOW // 2)

    async def until(self, number: int | None = None) -> None:
        """Wait until so many are confirmed, or all."""
        wanted = self._published if number is None else number
        while self._confirmed < wanted:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), LIMIT)


def push(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push the jobs, each confirmed by the server."""

    async def run() -> None:
        value, pack = value_of(work), msgpack.packb
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        connection = AsyncioConnection(
            pika.URLParameters(RABBITMQ.where),
            on_open_callback=lambda made: made.channel(on_open_callback=opened.set_result),
            on_open_error_callback=lambda _, error: opened.set_exception(error),
        )
        confirms = Confirms(await asyncio.wait_for(opened, LIMIT))

        async def send(count: int) -> None:
            for _ in range(count):
                await confirms.publish(place.mesh, pack(value))
            await confirms.until()

        await send(work.warm)
        stage.tell(ready=True)
        await asyncio.to_thread(stage.wait_for_go)
        begun = time.perf_counter()
        await send(work.share)
        stage.tell(begun=begun, seconds=time.perf_counter() - begun)
        await asyncio.to_thread(stage.wait_for_stop)
        closed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        connection.add_on_close_callback(lambda *_: closed.set_result(None))
        connection.close()
        await closed

    asyncio.run(run())


def pull(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until all is done, and ack each."""
    check, unpack, counted = check_of(work), msgpack.unpackb, Counted(stage, work)

    def work_on(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        check(unpack(body))
        channel.basic_ack(method.delivery_tag)
        counted.add()

    connection = pika.BlockingConnection(pika.URLParameters(RABBITMQ.where))
    channel = connection.channel()
    channel.queue_declare(place.mesh, durable=True)
    channel.basic_qos(prefetch_count=_WINDOW)
    channel.basic_consume(place.mesh, work_on)
    stage.tell(address="")
    while not counted.over:
        connection.process_data_events(time_limit=_LOOK)
    stage.wait_for_stop()
    channel.queue_delete(place.mesh)
    connection.close()
