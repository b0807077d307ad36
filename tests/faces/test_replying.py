"""Serving, on both faces: handlers that answer, and requests answered in a loop."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

import meshmq
from meshmq import deadline
from tests.faces.functions import LIMIT, Unspeakable, on, pair, serve
from tests.faces.stage import Actor, Stage, soon


async def test_what_a_handler_returns_is_the_answer(stage: Stage) -> None:
    caller, server = await pair(stage)
    await serve(server, "add", on(stage, sum))
    assert await caller.request("add", [1, 2], timeout=LIMIT) == 3
    assert await server.request("add", [3, 4], timeout=LIMIT) == 7


async def test_handler_may_take_the_request_beside_the_data(stage: Stage) -> None:
    caller, server = await pair(stage)

    def tell(data: object, request: meshmq.Request) -> list[object]:
        assert request.timeout is not None
        assert 0 <= request.age < LIMIT
        assert len(request.id) == 32
        return [data, request.service, request.sender, request.headers, 0 < request.timeout <= 7, request.cancelled]

    await serve(server, "tell", on(stage, tell))
    answer = await caller.request("tell", 1, timeout=7, headers={"a": "b"})
    assert answer == [1, "tell", "caller", {"a": "b"}, True, False]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("no"), "ValueError"), (BaseException("no"), "BaseException"), (SystemExit(3), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"), (StopIteration(1), "StopIteration"),
        (GeneratorExit(), "GeneratorExit"), (Unspeakable(), "Unspeakable"), (ValueError("x" * 10**7), "ValueError"),
        (ValueError("\ud800"), "ValueError"), (asyncio.CancelledError(), "CancelledError"),
        (StopAsyncIteration(), "StopAsyncIteration"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
async def test_what_a_handler_raises_arrives_whatever_it_is(stage: Stage, error: BaseException, kind: str) -> None:
    caller, server = await pair(stage)
    fails = [True]

    if stage.face == "blocking":

        def fail(data: object) -> object:
            if fails.pop():
                raise error.with_traceback(None)
            return data

        await serve(server, "fail", fail, concurrency=1)
    else:

        async def fail_awaited(data: object) -> object:
            if fails.pop():
                raise error.with_traceback(None)
            return data

        await serve(server, "fail", fail_awaited, concurrency=1)
    with pytest.raises(meshmq.RemoteError) as told:
        await caller.request("fail", 1, timeout=LIMIT)
    assert told.value.kind == kind or (kind == "StopIteration" and told.value.kind == "RuntimeError")  # of a coroutine
    assert told.value.node == "server"
    assert "in fail" in told.value.traceback or kind == "Unspeakable"
    assert "faces/crews" not in told.value.traceback
    assert len(told.value.message) <= 16_384
    fails[:] = [False]
    assert await caller.request("fail", 1, timeout=LIMIT) == 1


@pytest.mark.parametrize("value", [object(), {1, (2, object())}, b"x" * 2_000_000], ids=["object", "nested", "large"])
async def test_answer_that_cannot_be_sent_is_told_to_the_caller(stage: Stage, value: object) -> None:
    caller, server = await pair(stage, message_bytes=1_000_000)
    await serve(server, "give", on(stage, lambda data: value))
    with pytest.raises(meshmq.RemoteError) as told:
        await caller.request("give", timeout=LIMIT)
    assert told.value.kind in {"EncodeError", "MessageTooLarge"}


async def test_loop_answers_in_any_order(stage: Stage) -> None:
    caller, server = await pair(stage)
    receiver = await server.reply("late")
    asking = [asyncio.create_task(caller.request("late", number, timeout=LIMIT)) for number in range(3)]
    requests = {}
    async for request in receiver:
        requests[request.data] = request
        if len(requests) == 3:
            for number in (2, 0, 1):
                requests[number].reply(number * 10)
                requests[number].reply("a second answer is ignored")
                requests[number].fail("Late", "and so is a failure")
            break
    assert await asyncio.gather(*asking) == [0, 10, 20]


async def test_request_that_is_failed_raises_with_its_kind_and_text(stage: Stage) -> None:
    caller, server = await pair(stage)
    receiver = await server.reply("no")
    asking = asyncio.create_task(caller.request("no", timeout=LIMIT))
    (await receiver.receive(LIMIT)).fail("NotToday", "come back tomorrow")
    with pytest.raises(meshmq.RemoteError, match="come back tomorrow") as told:
        await asking
    assert (told.value.kind, told.value.node) == ("NotToday", "server")


async def test_answer_that_cannot_be_sent_raises_and_is_told_unless_there_is_another(stage: Stage) -> None:
    caller, server = await pair(stage)
    receiver = await server.reply("give")
    for second in (True, False):
        asking = asyncio.create_task(caller.request("give", timeout=LIMIT))
        request = await receiver.receive(LIMIT)
        with pytest.raises(meshmq.EncodeError):
            request.reply(object())
        if second:
            request.reply("another")
            assert await asking == "another"
        else:
            del request
            gc.collect()
            with pytest.raises(meshmq.RemoteError) as told:
                await asking
            assert told.value.kind == "EncodeError"


@pytest.mark.parametrize("how", ["dropped", "its loop has ended", "its receiver is closed"])
async def test_request_that_nobody_answers_fails(stage: Stage, how: str) -> None:
    caller, server = await pair(stage)
    receiver = await server.reply("silent")
    asking = asyncio.create_task(caller.request("silent", timeout=LIMIT))
    kept: list[meshmq.Request] = []
    if how == "its loop has ended":
        async for request in receiver:
            kept.append(request)
            break
    else:
        kept.append(await receiver.receive(LIMIT))
    if how == "dropped":
        kept.clear()
        gc.collect()
    elif how == "its receiver is closed":
        await receiver.close()
    request = None
    gc.collect()
    with pytest.raises(meshmq.RemoteError) as told:
        await asking
    assert told.value.kind == "Unanswered"


async def test_many_requests_are_received_at_once(stage: Stage) -> None:
    caller, server = await pair(stage)
    receiver = await server.reply("many")
    asking = [asyncio.create_task(caller.request("many", number, timeout=LIMIT)) for number in range(4)]
    answered = 0
    while answered < 4:
        requests = await receiver.receive_many(3, LIMIT)
        assert 1 <= len(requests) <= 3
        for request in requests:
            request.reply(request.data)
        answered += len(requests)
    assert await asyncio.gather(*asking) == list(range(4))


async def test_nested_requests_inherit_what_is_left(stage: Stage) -> None:
    caller, server = await pair(stage)

    def left(data: object) -> float | None:
        return deadline.left()

    await serve(server, "left", on(stage, left))
    inherited = await caller.request("left", timeout=3)
    assert 0 < inherited <= 3
    assert deadline.left() is None


async def test_as_many_requests_are_handled_at_once_as_concurrency_says(stage: Stage) -> None:
    caller, server = await pair(stage)
    here = threading.Barrier(5)

    def work(data: object) -> int:
        return here.wait(LIMIT)

    await serve(server, "work", work, concurrency=5)
    answers = await asyncio.gather(*[caller.request("work", timeout=LIMIT) for _ in range(5)])
    assert sorted(answers) == list(range(5))


async def test_leaving_answers_what_runs_and_refuses_the_rest(stage: Stage) -> None:
    caller, server = await pair(stage)
    begun, go_on = threading.Event(), threading.Event()

    def work(data: object) -> object:
        begun.set()
        assert go_on.wait(LIMIT)
        return data

    await serve(server, "work", work, concurrency=1)
    first = asyncio.create_task(caller.request("work", 1, timeout=LIMIT))
    assert await asyncio.to_thread(begun.wait, LIMIT)
    closing = asyncio.create_task(server.close())
    await soon(lambda: is_draining(caller))
    with pytest.raises((meshmq.NoPeersError, meshmq.RequestRefused)):
        await caller.request("work", 2, timeout=0.3)
    go_on.set()
    assert await first == 1
    await closing


@pytest.mark.parametrize("service", ["meshmq.stats", "meshmq.x", "", "a b", None])
async def test_name_that_cannot_be_served_is_refused(stage: Stage, service: object) -> None:
    node = await stage.node("server")
    with pytest.raises(meshmq.NameInvalid, match="service"):
        await node.reply(service)


async def test_service_of_a_node_that_is_not_open_is_served_when_it_opens(stage: Stage) -> None:
    caller, server = await stage.node("caller"), stage.unopened("server")
    await serve(server, "add", on(stage, sum))
    with pytest.raises(meshmq.NoPeersError):
        await caller.request("add", [1], timeout=0)
    await server.open()
    assert await caller.request("add", [1, 2], timeout=LIMIT) == 3


async def test_request_that_cannot_be_decoded_fails_and_the_next_is_handled(stage: Stage) -> None:
    caller, server = await pair(stage)
    await serve(server, "echo", on(stage, lambda data: data))
    codec = caller.inner._codec
    caller.inner._codec = Garbled(codec)
    try:
        with pytest.raises(meshmq.RemoteError) as told:
            await caller.request("echo", 1, timeout=LIMIT)
    finally:
        caller.inner._codec = codec
    assert told.value.kind == "DecodeError"
    assert await caller.request("echo", 1, timeout=LIMIT) == 1


class Garbled:
    """A codec that sends what nobody can read."""

    def __init__(self, codec: Any) -> None:
        self.decode, self.decode_row, self.name = codec.decode, codec.decode_row, codec.name

    def encode(self, data: object, *, copy: bool = True) -> tuple[bytes, tuple[bytes, ...]]:
        return b"\xc1", ()


async def is_draining(node: Actor) -> bool:
    return any(peer.state == "draining" for peer in await node.peers())
