"""What groups of subscribers could not read is with its publisher: seen, tried again, dropped; on both faces."""

from __future__ import annotations

from pathlib import Path

import pytest

import meshmq
from tests.faces.stage import Actor, Stage

BAD = b"\xc1 no value"


async def unreadable(node: Actor, topic: str) -> None:
    """Publish what nobody can read."""
    engine, participant = node.inner._opened()
    with engine.gate:
        participant.feed.publish(topic, BAD, (), {"mark": topic}, engine.now())
        engine.flush()


async def filled(stage: Stage, shop: Actor) -> None:
    """Have a group get three messages, two of which it cannot read."""
    member = await stage.node("member")
    orders = await member.subscribe("orders.*", group="billing")
    await shop.publish("orders.old", "before")
    await orders.ready(10)
    await unreadable(shop, "orders.new")
    await unreadable(shop, "orders.old")
    await shop.publish("orders.new", "good")
    data = ""
    while data != "good":
        message = await orders.receive(10)
        data = message.data
        message.ack()
    await shop.flush(10)
    await orders.close()


async def test_they_are_listed_by_topic_and_dropped(stage: Stage) -> None:
    shop = await stage.node("shop")
    await filled(stage, shop)
    everything, fresh = await shop.topic("orders.**"), await shop.topic("orders.new")
    new, old = everything.dead.list()
    assert [(letter.topic, letter.headers) for letter in (new, old)] == [
        (topic, {"mark": topic}) for topic in ("orders.new", "orders.old")
    ]
    assert new.queue.startswith("#billing:")
    assert "cannot decode" in new.reason
    assert [letter.id for letter in fresh.dead] == [new.id]
    assert repr(fresh.dead) == "<1 dead letter of 'orders.new'>"
    with pytest.raises(meshmq.ConfigError, match=r"1 dead letter of 'orders\.new' here"):
        fresh.dead.show(old.id)
    assert (fresh.dead.drop(), len(everything.dead)) == (1, 1)
    assert everything.dead.drop(old.id) == 1
    assert len((await shop.queue("orders")).dead) == 0


async def test_they_outlive_their_node_and_are_tried_again(stage: Stage, tmp_path: Path) -> None:
    first = await stage.node("shop", journal=tmp_path / "shop.db")
    await filled(stage, first)
    ids = [letter.id for letter in (await first.topic("orders.**")).dead]
    await first.close()
    second = await stage.node("shop", journal=tmp_path / "shop.db")
    letters = (await second.topic("orders.**")).dead
    assert [letter.id for letter in letters] == ids
    assert letters.retry(ids[0]) == 1
    assert [letter.id for letter in letters] == ids[1:]
    assert letters.drop() == 1
    with pytest.raises(meshmq.Undelivered):
        await second.close(0)
