"""What a receiver that is given a handler does, on both faces."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

import meshmq
from tests.faces.functions import LIMIT, Unspeakable
from tests.faces.stage import Actor, Stage, acked, soon


class Sign:
    """An event that threads and tasks can wait for, set from anywhere."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    async def seen(self) -> None:
        async def is_set() -> bool:
            return self._event.is_set()

        await soon(is_set)

    def wait(self) -> None:
        assert self._event.wait(LIMIT)


def on(stage: Stage, function: Callable[[Any, meshmq.Message], object]) -> Callable[..., Any]:
    """Return a handler of the stage's face that does what ``function`` does; there it may wait, too."""
    if stage.face == "blocking":
        return function

    async def handler(data: Any, message: meshmq.Message) -> object:
        return await asyncio.to_thread(function, data, message)

    return handler


async def handle(receiver: Actor, function: Callable[..., Any]) -> None:
    assert receiver.inner(function) is function


async def test_handler_is_given_every_job_in_order_and_acks_by_returning(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    run: list[tuple[object, int]] = []
    await handle(await worker.pull("jobs"), on(stage, lambda data, message: run.append((data, message.attempt))))
    await (await pusher.queue("jobs")).push_many(range(50))
    await pusher.flush(LIMIT)
    assert run == [(number, 1) for number in range(50)]
    assert await acked(pusher) == 50


async def test_handler_may_take_the_data_alone(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    run: list[object] = []
    await handle(await worker.pull("jobs"), run.append)
    await pusher.push("jobs", "a")
    await pusher.flush(LIMIT)
    assert run == ["a"]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"), Exception(), BaseException("no"), KeyboardInterrupt(), SystemExit(3), StopIteration(1),
        GeneratorExit(), Unspeakable(), RecursionError("x" * 10**6), asyncio.CancelledError(), StopAsyncIteration(),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
async def test_handler_that_raises_anything_nacks_and_the_node_goes_on(
    stage: Stage, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    pusher, worker = await stage.pair(backoff=0.01)
    attempts: list[int] = []

    if stage.face == "blocking":

        def fail(data: object, message: meshmq.Message) -> None:
            attempts.append(message.attempt)
            if message.attempt == 1:
                raise error.with_traceback(None)

        await handle(await worker.pull("jobs"), fail)
    else:

        async def fail_awaited(data: object, message: meshmq.Message) -> None:
            attempts.append(message.attempt)
            if message.attempt == 1:
                raise error.with_traceback(None)

        await handle(await worker.pull("jobs"), fail_awaited)
    await pusher.push("jobs", 1)
    await pusher.flush(LIMIT)
    assert attempts == [1, 2]
    words = [record.getMessage() for record in caplog.records if record.name == "meshmq.handlers"]
    assert len(words) == 1
    assert "of queue 'jobs' failed" in words[0]
    assert type(error).__name__ in words[0]
    assert "in fail" in words[0] or isinstance(error, Unspeakable)  # where it was raised
    assert len(words[0]) < 20_000


async def test_handlers_are_at_work_at_once_as_often_as_concurrency_says(stage: Stage) -> None:
    pusher, worker = await stage.pair(prefetch_work=1e-9)
    all_here = threading.Barrier(4)
    await handle(await worker.pull("jobs", concurrency=4), on(stage, lambda data, message: all_here.wait(LIMIT)))
    await (await pusher.queue("jobs")).push_many(range(12))
    await pusher.flush(LIMIT)


async def test_one_handler_is_at_work_where_nothing_else_is_said(stage: Stage) -> None:
    pusher, worker = await stage.pair(prefetch_work=1e-9)
    alone = threading.Lock()

    def work(data: object, message: meshmq.Message) -> None:
        assert alone.acquire(blocking=False)
        alone.release()

    await handle(await worker.pull("jobs"), on(stage, work))
    await (await pusher.queue("jobs")).push_many(range(20))
    await pusher.flush(LIMIT)
    assert (await pusher.stats())["queues"]["jobs"]["push"]["refused"] == 0


async def test_receiver_is_either_iterated_or_decorated(stage: Stage) -> None:
    worker = await stage.node("worker")
    handled, asked = await worker.pull("jobs"), await worker.pull("jobs")
    await handle(handled, print)
    for call in (functools.partial(handled.receive, 0), functools.partial(handled.receive_many, 1, 0)):
        with pytest.raises(meshmq.InUseError, match="has a handler"):
            await call()
    with pytest.raises(meshmq.InUseError, match="has a handler"):
        _ = [message async for message in handled]
    with pytest.raises(meshmq.InUseError, match="has a handler"):
        handled.inner(print)
    with pytest.raises(meshmq.TimedOut):
        await asked.receive(0)
    with pytest.raises(meshmq.InUseError, match="is iterated"):
        asked.inner(print)


async def test_what_cannot_handle_is_refused_with_the_reason(stage: Stage) -> None:
    receiver = (await (await stage.node("worker")).pull("jobs")).inner

    def yields(data: object) -> object:
        yield data

    refused: list[tuple[object, str]] = [
        (3, "is a function"), (lambda: None, "takes nothing"), (lambda a, b, c: None, "takes more"),
        (lambda data, *, option: None, "nobody gives it option="), (yields, "only a handler of reply may yield"),
    ]  # fmt: skip
    for function, reason in refused:
        with pytest.raises(meshmq.ConfigError, match=reason):
            receiver(function)
    receiver(print)  # nothing of that has used it


async def test_second_parameter_with_a_default_is_left_alone_unless_it_is_the_message(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    run: list[object] = []

    def with_option(data: object, verbose: bool = False) -> None:
        run.append((data, verbose))

    def with_message(data: object, message: meshmq.Message | None = None) -> None:
        run.append((data, message is not None))

    await handle(await worker.pull("plain"), with_option)
    await handle(await worker.pull("told"), with_message)
    await pusher.push("plain", 1)
    await pusher.flush(LIMIT)
    await pusher.push("told", 2)
    await pusher.flush(LIMIT)
    assert run == [(1, False), (2, True)]


async def test_handlers_of_a_node_that_is_not_open_begin_when_it_opens(stage: Stage) -> None:
    pusher, worker = await stage.node("pusher"), stage.unopened("worker")
    run: list[object] = []
    await handle(await worker.pull("jobs"), run.append)
    assert worker.addresses == ()
    await pusher.push("jobs", 1)
    await worker.open()
    await pusher.flush(LIMIT)
    assert run == [1]


async def test_leaving_lets_handlers_finish_and_push(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    begun, go_on = Sign(), Sign()

    def work(data: object, message: meshmq.Message) -> None:
        begun.set()
        go_on.wait()
        if isinstance(worker.inner, meshmq.Node):
            worker.inner.push("done", data)

    done = await pusher.pull("done")
    await handle(await worker.pull("jobs"), on(stage, work))
    await (await pusher.queue("jobs")).push_many([1, 2])
    await begun.seen()
    closing = asyncio.create_task(worker.close())
    await soon(lambda: is_draining(pusher))
    go_on.set()
    if stage.face == "blocking":
        message = await done.receive(LIMIT)
        message.ack()
        assert message.data == 1
    await closing
    assert await acked(pusher) == 1
    again = await pusher.pull("jobs")
    message = await again.receive(LIMIT)
    assert (message.data, message.attempt) == (2, 1)


async def test_leaving_without_time_gives_back_what_handlers_run(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    begun, go_on = Sign(), Sign()

    def work(data: object, message: meshmq.Message) -> None:
        begun.set()
        go_on.wait()

    await handle(await worker.pull("jobs"), on(stage, work))
    await pusher.push("jobs", 1)
    await begun.seen()
    await worker.close(0)
    message = await (await pusher.pull("jobs")).receive(LIMIT)
    assert (message.data, message.attempt) == (1, 2)
    go_on.set()


async def test_closed_receiver_handles_no_more(stage: Stage) -> None:
    pusher, worker = await stage.pair()
    run: list[object] = []
    receiver = await worker.pull("jobs")
    await handle(receiver, run.append)
    await pusher.push("jobs", 1)
    await pusher.flush(LIMIT)
    await receiver.close()
    await pusher.push("jobs", 2)
    with pytest.raises(meshmq.TimedOut):
        await pusher.flush(0.1)
    assert run == [1]
    assert (await (await worker.pull("jobs")).receive(LIMIT)).data == 2


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, 10_001])
async def test_concurrency_that_is_no_number_of_handlers_is_refused(stage: Stage, concurrency: object) -> None:
    node = await stage.node("worker")
    with pytest.raises(meshmq.ConfigError, match="concurrency"):
        await node.pull("jobs", concurrency=concurrency)


def test_async_handler_is_refused_by_a_node_of_threads() -> None:
    async def handler(data: object) -> None: ...

    class Callable:
        async def __call__(self, data: object) -> None: ...

    for function in (handler, Callable(), functools.partial(handler)):
        with pytest.raises(meshmq.ConfigError, match="use meshmq"):
            meshmq.Node().pull("jobs")(function)


async def is_draining(node: Actor) -> bool:
    return any(peer.state == "draining" for peer in await node.peers())


def test_async_handlers_go_on_in_the_next_loop(mesh_name: str) -> None:
    node = meshmq.AsyncNode("alone", mesh=mesh_name)
    run: list[object] = []

    @node.pull("jobs")
    async def handle(data: object) -> None:
        run.append(data)

    async def push(data: object) -> None:
        await node.push("jobs", data)
        await node.flush(LIMIT)

    async def last() -> None:
        await push(2)
        await node.close()

    asyncio.run(push(1))
    asyncio.run(last())
    assert run == [1, 2]
