"""What a node counts of its topics, at both ends, on both faces."""

from __future__ import annotations

from typing import Any

import pytest

from meshmq import seeing
from tests.faces.functions import LIMIT
from tests.faces.stage import Actor, Stage, taken


async def topics_of(node: Actor) -> Any:
    return (await node.stats())["topics"]


async def test_both_ends_count_what_is_published(stage: Stage) -> None:
    camera, viewer = await stage.node("camera"), await stage.node("viewer")
    subscription = await viewer.subscribe("weather.*", capacity=2)
    await camera.wait_for(subscribe="weather.kitchen", timeout=LIMIT)
    for number in range(5):
        await camera.publish("weather.kitchen", number)
        await camera.publish("elsewhere", "x" * 100)
    (message,) = await taken(subscription, 1)
    while message.seq < 5:
        (message,) = await taken(subscription, 1)
    published, given = await topics_of(camera), (await topics_of(viewer))["weather.*"]["subscribe"]
    kitchen = published["weather.kitchen"]["publish"]
    assert (kitchen["published"], kitchen["bytes"], kitchen["subscribers"]) == (5, 5, 1)
    assert published["elsewhere"]["publish"]["subscribers"] == 0
    assert published["elsewhere"]["publish"]["bytes"] > 500
    assert kitchen["λ"] > 0
    assert given["received"] + given["in_hand"] + sum(given["missed"].values()) == 5
    assert set(given["missed"]) == {"lost", "overflowed", "superseded", "unreadable"}
    assert given["waiting"] == 0


async def test_only_the_busiest_topics_are_told_one_by_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "LISTED", 2)
    node = await stage.node("node")
    for pattern in ("c", "c.*", "d"):
        await node.subscribe(pattern)
    for topic, times in (("a", 1), ("b", 3), ("c", 2), ("d", 1)):
        for _ in range(times):
            await node.publish(topic, None)
    told = await topics_of(node)
    published = {name: entry["publish"]["published"] for name, entry in told.items() if "publish" in entry}
    assert published == {"b": 3, "c": 2, seeing.OTHERS: 2}
    assert sum("subscribe" in entry for entry in told.values()) == 3
    assert "subscribe" in told[seeing.OTHERS]


async def test_equal_subscriptions_are_summed(stage: Stage) -> None:
    node = await stage.node("node")
    receivers = [await node.subscribe("a", "b.*") for _ in range(2)]
    await node.publish("a", 1)
    for receiver in receivers:
        await taken(receiver, 1)
    given = (await topics_of(node))["a, b.*"]["subscribe"]
    assert given["received"] + given["in_hand"] == 2


async def test_groups_are_told_with_what_they_dropped(stage: Stage) -> None:
    billing, shop = await stage.node("billing"), await stage.node("shop")
    jobs = await billing.subscribe("orders.*", group="billing")
    await shop.wait_for(subscribe="orders.new", timeout=LIMIT)
    await shop.publish("orders.new", 1)
    await taken(jobs, 1)
    told = await shop.stats()
    ((queue, group),) = told["groups"].items()
    assert queue in told["queues"]
    assert (group["topics"], group["members"], group["dropped"]) == (["orders.*"], 1, 0)


async def test_every_node_tells_the_names_of_its_topics(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "NAMED", 2)
    camera, viewer = await stage.node("camera"), await stage.node("viewer")
    for pattern in ("a.*", "a.*", "b"):
        await viewer.subscribe(pattern)
    for topic in ("a.1", "a.1", "a.1", "b", "b", "c"):
        await camera.publish(topic, None)
    told = await viewer.request("meshmq.topics", to="camera", timeout=LIMIT)
    assert told == {"publishes": {"a.1": 3, "b": 2}, "subscribes": {}, "more": {"publishes": 1, "subscribes": 0}}
    told = await camera.request("meshmq.topics", to="viewer", timeout=LIMIT)
    assert told["subscribes"] == {"a.*": 2, "b": 1}
    (peer,) = await camera.peers()
    assert (peer.name, peer.publishes, peer.subscribes) == ("viewer", False, True)
