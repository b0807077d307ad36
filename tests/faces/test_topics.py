"""Publishing and subscribing, on both faces."""

from __future__ import annotations

import asyncio

import pytest

import meshmq
from meshmq.errors import ConfigError, EncodeError, NameInvalid, Overflowed, TimedOut
from tests.faces.stage import Stage, soon


async def data_of(subscription: object, count: int) -> list[object]:
    """Return what the next messages hold."""
    return [(await subscription.receive(timeout=10)).data for _ in range(count)]  # type: ignore[attr-defined]  # a subscription of either face


async def test_every_subscriber_gets_what_is_published(stage: Stage) -> None:
    camera, first, second = [await stage.node(name) for name in ("camera", "first", "second")]
    given = [await node.subscribe("weather.*") for node in (first, second, camera)]
    await camera.wait_for(subscribe="weather.kitchen", count=3, timeout=10)
    await camera.publish("weather.kitchen", {"temp": 21.5}, headers={"unit": "C"})
    await camera.publish("weather.hall.door", "not for them")
    await camera.publish("weather.hall", [1, 2])
    for subscription in given:
        message = await subscription.receive(timeout=10)
        assert (message.topic, message.data, message.seq, message.gap) == ("weather.kitchen", {"temp": 21.5}, 1, 0)
        assert (message.sender, message.headers, message.queue) == ("camera", {"unit": "C"}, "")
        assert 0 <= message.age < 10
        assert repr(message) == "<Message 1 of 'weather.kitchen' from camera>"
        message.ack()
        message.nack()
        assert await data_of(subscription, 1) == [[1, 2]]
        assert subscription.missed == 0


async def test_overlapping_patterns_deliver_once(stage: Stage) -> None:
    node = await stage.node("node")
    subscription = await node.subscribe("a.*", "a.b", "**", "a.**", "a.b")
    await node.publish("a.b", 1)
    await node.publish("c", 2)
    assert await data_of(subscription, 2) == [1, 2]
    with pytest.raises(TimedOut):
        await subscription.receive(timeout=0.05)


async def test_topics_of_the_nodes_themselves_are_not_published_to(stage: Stage) -> None:
    node = await stage.node("node")
    with pytest.raises(NameInvalid, match="are the nodes' own"):
        await node.publish("meshmq.tap.jobs", 1)


async def test_ready_is_a_round_trip_and_what_is_published_after_it_arrives(stage: Stage) -> None:
    publisher, other = await stage.node("publisher"), await stage.node("other")
    await publisher.publish("before", 0)
    subscription = await other.subscribe("a")
    await subscription.ready(timeout=10)
    for number in range(100):
        await publisher.publish("a", number)
    assert await data_of(subscription, 100) == list(range(100))


async def test_publisher_waits_for_subscribers_of_a_topic(stage: Stage) -> None:
    publisher, other = await stage.node("publisher"), await stage.node("other")
    with pytest.raises(TimedOut):
        await publisher.wait_for(subscribe="weather.kitchen", timeout=0.05)
    await other.subscribe("weather.*")
    assert [peer.name for peer in await publisher.wait_for(subscribe="weather.kitchen", timeout=10)] == ["other"]
    await publisher.subscribe("**")
    await publisher.wait_for(subscribe="weather.kitchen", count=2, timeout=10)


async def test_history_is_given_since(stage: Stage) -> None:
    publisher, other = await stage.node("publisher"), await stage.node("other")
    topic = await publisher.topic("a.**", history=3)
    assert repr(topic).startswith(("<Topic 'a.**' of <Node", "<AsyncTopic 'a.**' of <AsyncNode"))
    for number in range(1, 6):
        await publisher.publish("a.b", number)
    assert await data_of(await other.subscribe("a.b", since="first"), 3) == [3, 4, 5]
    assert await data_of(await other.subscribe("a.b", since="last"), 1) == [5]
    assert await data_of(await other.subscribe("a.b", since=4), 2) == [4, 5]
    assert await data_of(await other.subscribe("a.b", since=60.0), 3) == [3, 4, 5]


async def test_capacity_drops_the_oldest_and_the_gap_tells_how_many(stage: Stage) -> None:
    node = await stage.node("node")
    subscription = await node.subscribe("a", capacity=10)
    for number in range(1, 101):
        await node.publish("a", number)
    await node.publish("b", 0)

    async def here() -> bool:
        return bool(len(subscription) == 10 and subscription.missed == 90)

    await soon(here)
    first = await subscription.receive(timeout=10)
    assert (first.data, first.gap) == (91, 90)
    assert await data_of(subscription, 9) == list(range(92, 101))


async def test_who_is_to_be_disconnected_is_told_after_what_waited(stage: Stage) -> None:
    node = await stage.node("node")
    subscription = await node.subscribe("a", capacity=2, overflow="disconnect")
    for number in range(1, 6):
        await node.publish("a", number)

    async def here() -> bool:
        return bool(subscription.missed == 3)

    await soon(here)
    assert await data_of(subscription, 2) == [1, 2]
    with pytest.raises(Overflowed, match="missed 3 messages") as raised:
        await subscription.receive(timeout=10)
    assert raised.value.missed == 3


async def test_latest_gives_the_newest_of_each_topic(stage: Stage) -> None:
    node = await stage.node("node")
    subscription = await node.subscribe("camera.*", latest=True)
    assert subscription.inner.latest("camera.1") is None
    for number in range(1, 21):
        await node.publish("camera.1", number)
        await node.publish("camera.2", -number)

    async def here() -> bool:
        return bool(subscription.missed >= 38)

    await soon(here)
    messages = [await subscription.receive(timeout=10) for _ in range(2)]
    assert {message.topic: message.data for message in messages} == {"camera.1": 20, "camera.2": -20}
    assert sum(message.gap for message in messages) == subscription.missed == 38
    newest = subscription.inner.latest("camera.1")
    assert (newest.data, newest.seq) == (20, 20)


async def test_one_of_a_group_gets_each_message_and_acks_it(stage: Stage) -> None:
    publisher = await stage.node("publisher")
    members = [await stage.node(f"member-{number}") for number in range(2)]
    given = [await node.subscribe("orders.*", group="billing") for node in members]
    for subscription in given:
        await subscription.ready(timeout=10)
    await publisher.wait_for(subscribe="orders.new", count=2, timeout=10)
    for number in range(20):
        await publisher.publish("orders.new", number, headers={"n": str(number)})

    async def work(subscription: object) -> list[int]:
        done: list[int] = []
        async for message in subscription:  # type: ignore[attr-defined]  # a subscription of either face
            assert (message.topic, message.seq, message.redelivered) == ("orders.new", message.data + 1, False)
            assert message.headers == {"n": str(message.data)}
            done.append(message.data)
        return done

    workers = [asyncio.create_task(work(subscription)) for subscription in given]
    await publisher.flush(timeout=20)
    for subscription in given:
        await subscription.close()
    done = [number for worker in workers for number in await worker]
    assert sorted(done) == list(range(20))


async def test_what_cannot_be_is_refused_at_the_call(stage: Stage) -> None:
    node = await stage.node("node")
    for pattern in ("", "a..b", "a.**.b", "a*", "**.a", ".a"):
        with pytest.raises(NameInvalid):
            await node.subscribe(pattern)
    for topic in ("a.*", "", "a b", "**"):
        with pytest.raises(NameInvalid):
            await node.publish(topic, 1)
    with pytest.raises(EncodeError):
        await node.publish("a", object())
    for options in (
        {"since": "yesterday"},
        {"since": -1},
        {"since": True},
        {"overflow": "block"},
        {"capacity": 0},
        {"group": "g", "since": "first"},
        {"group": "g", "since": 0},
        {"group": "g", "latest": True},
        {"group": "g", "overflow": "drop_newest"},
        {"group": "g", "capacity": 5},
    ):
        with pytest.raises(ConfigError):
            await node.subscribe("a", **options)
    with pytest.raises(ConfigError):
        await node.topic("a", history=0)
    with pytest.raises(ConfigError):
        meshmq.History(messages=-1)
    with pytest.raises(ConfigError):
        (await node.subscribe("a")).inner.latest("a")


async def test_closing_ends_a_loop_and_a_published_value_is_a_copy(stage: Stage) -> None:
    node = await stage.node("node")
    value = {"list": [1]}
    subscription = await node.subscribe("a")
    await node.publish("a", value)
    value["list"].append(2)
    assert await data_of(subscription, 1) == [{"list": [1]}]
    await subscription.close()
    assert [message async for message in subscription] == []
