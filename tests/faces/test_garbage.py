"""What is over is gone at once: no verb leaves rings of objects behind for the interpreter to look for."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from meshmq import AsyncNode, Node
from meshmq.testing import Network

ROUNDS: Final = 200


@contextmanager
def no_rings() -> Iterator[None]:
    """Fail where one object or more is left in rings for each round."""
    gc.collect()
    gc.disable()
    try:
        yield
        assert gc.collect() < ROUNDS
    finally:
        gc.enable()


def pushed(one: Node, other: Node) -> Callable[[], object]:
    jobs = iter(other.pull("jobs"))

    def push() -> None:
        one.push("jobs", {"number": 1})
        next(jobs).ack()

    return push


def published(one: Node, other: Node) -> Callable[[], object]:
    news = iter(other.subscribe("news"))
    one.wait_for(subscribe="news", timeout=10)

    def publish() -> None:
        one.publish("news", {"number": 1})
        next(news)

    return publish


def serve(other: Node) -> None:
    @other.reply("double")
    def double(number: int) -> int:
        return number * 2

    @other.reply("count")
    def count(number: int) -> Iterator[int]:
        yield from range(number)


def asked(one: Node, other: Node) -> Callable[[], object]:
    serve(other)
    return lambda: one.request("double", 2)


def surveyed(one: Node, other: Node) -> Callable[[], object]:
    serve(other)
    one.wait_for(reply="double", timeout=10)
    return lambda: one.survey("double", 2, timeout=10)


def streamed(one: Node, other: Node) -> Callable[[], object]:
    serve(other)
    return lambda: list(one.stream("count", 3))


@pytest.mark.parametrize("verb", [pushed, published, asked, surveyed, streamed])
def test_a_verb_of_threads_leaves_no_rings(verb: Callable[[Node, Node], Callable[[], object]]) -> None:
    with Network() as network, network.node("one") as one, network.node("other") as other:
        act = verb(one, other)
        for _ in range(20):
            act()
        with no_rings():
            for _ in range(ROUNDS):
                act()


async def serve_async(other: AsyncNode) -> None:
    @other.reply("double")
    async def double(number: int) -> int:
        return number * 2

    @other.reply("count")
    async def count(number: int) -> AsyncIterator[int]:
        for each in range(number):
            yield each


@pytest.mark.parametrize("verb", ["push", "publish", "request", "survey", "stream"])
def test_a_verb_of_tasks_leaves_no_rings(verb: str) -> None:
    async def act(one: AsyncNode, taken: dict[str, Any]) -> None:
        match verb:
            case "push":
                await one.push("jobs", {"number": 1})
                (await anext(taken["jobs"])).ack()
            case "publish":
                await one.publish("news", {"number": 1})
                await anext(taken["news"])
            case "request":
                assert await one.request("double", 2) == 4
            case "survey":
                assert [answer.data for answer in await one.survey("double", 2, timeout=10)] == [4]
            case _:
                assert [item async for item in one.stream("count", 3)] == [0, 1, 2]

    async def main() -> None:
        with Network() as network:
            async with network.async_node("one") as one, network.async_node("other") as other:
                taken = {"jobs": aiter(other.pull("jobs")), "news": aiter(other.subscribe("news"))}
                await serve_async(other)
                await one.wait_for(reply="double", timeout=10)
                await one.wait_for(subscribe="news", timeout=10)
                for _ in range(20):
                    await act(one, taken)
                with no_rings():
                    for _ in range(ROUNDS):
                        await act(one, taken)

    asyncio.run(main())
