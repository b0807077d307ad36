"""A device between publishers and subscribers, on both faces: what changes for programs is nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

import meshmq
from tests.faces.functions import LIMIT
from tests.faces.stage import Actor, Stage, soon
from tests.faces.test_device import knows, sees


async def market(stage: Stage) -> tuple[Actor, Actor, Actor]:
    """Return a publisher and a subscriber, and the device between them, which all know each other."""
    device = await stage.node("hub")
    await device.device(topics=["weather.**"])
    publisher, subscriber = await stage.node("publisher"), await stage.node("subscriber")
    await soon(partial(sees, publisher, 1))
    await soon(partial(sees, subscriber, 1))
    await soon(partial(knows, publisher, "hub", "subscriber"))
    return publisher, subscriber, device


async def news(publisher: Actor, subscription: Actor, topic: str) -> AsyncIterator[meshmq.Message]:
    """Publish and yield one message after the other."""
    await publisher.wait_for(subscribe=topic, timeout=LIMIT)
    number = 0
    while True:
        number += 1
        await publisher.publish(topic, number, headers={"n": str(number)})
        message = await subscription.receive(timeout=LIMIT)
        assert (message.data, message.seq, message.gap, message.headers) == (number, number, 0, {"n": str(number)})
        assert (message.topic, message.sender) == (topic, "publisher")
        assert 0 <= message.age < LIMIT
        yield message


async def until(messages: AsyncIterator[meshmq.Message], via: str) -> None:
    """Take news until they come by a way, and as many again."""
    async for message in messages:
        if message.via == via:
            break
    for _ in range(20):
        await anext(messages)


async def test_news_go_through_a_device_and_say_so(stage: Stage) -> None:
    publisher, subscriber, device = await market(stage)
    subscription = await subscriber.subscribe("weather.*")
    await until(news(publisher, subscription, "weather.kitchen"), "hub")
    await publisher.publish("weather.large", bytes(300_000))
    message = await subscription.receive(timeout=LIMIT)
    assert (message.data, message.sender, message.via, message.gap) == (bytes(300_000), "publisher", "", 0)
    passed = (await device.stats())["forwards"]["topics"]["weather.**"]
    assert passed["received"] >= 20
    assert (passed["publishers"], passed["subscribers"]) == (1, 1)
    views = {peer.name: peer.forwards for peer in await publisher.peers()}
    assert views == {"hub": {"topics": ("weather.**",)}, "subscriber": {}}


async def test_what_no_pattern_of_it_covers_goes_directly(stage: Stage) -> None:
    publisher, subscriber, device = await market(stage)
    subscription = await subscriber.subscribe("**")
    messages = news(publisher, subscription, "weather.kitchen")
    for _ in range(20):
        assert (await anext(messages)).via == ""
    assert (await device.stats())["forwards"]["topics"]["weather.**"]["received"] == 0


async def test_when_it_goes_news_go_directly_and_when_it_comes_through_it_and_none_is_missed(stage: Stage) -> None:
    publisher, subscriber, device = await market(stage)
    subscription = await subscriber.subscribe("weather.kitchen", "weather.cellar.*")
    messages = news(publisher, subscription, "weather.kitchen")
    await until(messages, "hub")
    await device.close()
    await until(messages, "")
    other = stage.unopened("other")
    await other.device(topics=["weather.kitchen", "weather.*.*"])
    await other.open()
    await until(messages, "other")


async def test_a_device_publishes_and_subscribes_too_and_does_so_directly(stage: Stage) -> None:
    publisher, subscriber, device = await market(stage)
    theirs, its = await subscriber.subscribe("weather.**"), await device.subscribe("weather.**")
    await publisher.wait_for(subscribe="weather.kitchen", count=2, timeout=LIMIT)
    await until(news(publisher, theirs, "weather.kitchen"), "hub")
    for _ in range(20):
        assert (await its.receive(timeout=LIMIT)).via == ""
    while len(its):
        await its.receive(timeout=LIMIT)
    await device.wait_for(subscribe="weather.roof", count=2, timeout=LIMIT)
    for number in range(20):
        await device.publish("weather.roof", number)
        for subscription in (theirs, its):
            message = await subscription.receive(timeout=LIMIT)
            while message.sender == "publisher":
                message = await subscription.receive(timeout=LIMIT)
            assert (message.data, message.sender, message.via, message.gap) == (number, "hub", "", 0)


async def test_patterns_are_checked(stage: Stage) -> None:
    node = await stage.node("hub")
    with pytest.raises(meshmq.NameInvalid):
        await node.device(topics=["weather.**.kitchen"])
    with pytest.raises(meshmq.ConfigError, match="a list of names"):
        await node.device(topics="weather.**")
    with pytest.raises(meshmq.ConfigError, match="by queues=, topics= or services="):
        await node.device()
