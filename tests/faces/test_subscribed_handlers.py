"""Handlers of what is published, on both faces."""

from __future__ import annotations

import pytest

import meshmq
from tests.faces.functions import LIMIT, on
from tests.faces.stage import Stage, soon


async def test_handler_gets_what_is_published_in_order_and_an_exception_ends_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    publisher, subscriber = await stage.node("publisher"), await stage.node("subscriber")
    heard: list[tuple[str, object]] = []

    def hear(data: object, message: meshmq.Message) -> None:
        heard.append((message.topic, data))
        if data == 3:
            raise ValueError("three")

    async def has_all() -> bool:
        return len(heard) == 20

    (await subscriber.subscribe("weather.*")).inner(on(stage, hear))
    await publisher.wait_for(subscribe="weather.kitchen", timeout=LIMIT)
    for number in range(20):
        await publisher.publish("weather.kitchen", number)
    await soon(has_all)
    assert heard == [("weather.kitchen", number) for number in range(20)]
    assert "ValueError: three" in caplog.text


async def test_handlers_of_a_node_that_is_not_open_hear_when_it_opens(stage: Stage) -> None:
    publisher, subscriber = await stage.node("publisher"), stage.unopened("subscriber")
    heard: list[object] = []

    async def has_one() -> bool:
        return heard == ["a"]

    (await subscriber.subscribe("weather.*")).inner(heard.append)
    await subscriber.open()
    await publisher.wait_for(subscribe="weather.kitchen", timeout=LIMIT)
    await publisher.publish("weather.kitchen", "a")
    await soon(has_one)


async def test_draining_ends_a_handler_of_what_is_published(stage: Stage) -> None:
    publisher, subscriber = await stage.node("publisher"), await stage.node("subscriber")
    heard: list[object] = []

    async def has_one() -> bool:
        return heard == ["a"]

    (await subscriber.subscribe("weather.*")).inner(heard.append)
    await publisher.wait_for(subscribe="weather.kitchen", timeout=LIMIT)
    await publisher.publish("weather.kitchen", "a")
    await soon(has_one)
    await subscriber.drain(2.0)  # before any waiter looks by itself
    await publisher.publish("weather.kitchen", "b")
    await subscriber.close()
    assert heard == ["a"]


async def test_subscription_is_either_iterated_or_decorated(stage: Stage) -> None:
    subscriber = await stage.node("subscriber")
    handled = await subscriber.subscribe("weather.*")
    handled.inner(print)
    with pytest.raises(meshmq.InUseError, match="has a handler"):
        await handled.receive(0)
    asked = await subscriber.subscribe("weather.*")
    with pytest.raises(meshmq.TimedOut):
        await asked.receive(0)
    with pytest.raises(meshmq.InUseError, match="is iterated"):
        asked.inner(print)
