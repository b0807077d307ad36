"""History that outlives its publisher, on both faces."""

from __future__ import annotations

from pathlib import Path

import pytest

import meshmq
from tests.faces.stage import Actor, Stage, taken


async def shop(stage: Stage, file: Path, history: int = 100) -> Actor:
    """Open a node whose prices are durable; each is a new incarnation of it."""
    node = await stage.node("shop", journal=file)
    await node.topic("prices.**", history=history, durable=True)
    return node


async def heard(subscription: Actor, count: int) -> list[tuple[object, int, int]]:
    """Return data, number and gap of the next messages."""
    return [(message.data, message.seq, message.gap) for message in await taken(subscription, count)]


async def test_history_and_numbers_outlive_the_publisher(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    first = await shop(stage, file)
    for number in range(1, 6):
        await first.publish("prices.tea", number, headers={"n": str(number)})
    await first.close()
    second = await shop(stage, file)
    await second.publish("prices.tea", 6)
    reader = await stage.node("reader")
    everything = await reader.subscribe("prices.tea", since="first")
    assert await heard(everything, 6) == [(number, number, 0) for number in range(1, 7)]
    from_four = await reader.subscribe("prices.*", since=4)
    assert await heard(from_four, 3) == [(4, 4, 0), (5, 5, 0), (6, 6, 0)]
    last = await reader.subscribe("prices.tea", since="last")
    assert await heard(last, 1) == [(6, 6, 0)]
    lately = await reader.subscribe("prices.tea", since=3_600.0)
    assert [data for data, _, _ in await heard(lately, 6)] == [1, 2, 3, 4, 5, 6]


async def test_who_listens_goes_on_where_it_was_when_the_publisher_comes_again(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    reader = await stage.node("reader")
    news = await reader.subscribe("prices.**", since="first")
    for life in range(3):
        node = await shop(stage, file)
        await node.publish("prices.tea", life)
        await node.publish("prices.coffee", life)
        assert {(data, seq, gap) for data, seq, gap in await heard(news, 2)} == {(life, life + 1, 0)}
        await node.close()
    assert news.missed == 0


async def test_what_was_published_while_nobody_listened_is_fetched_once(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    reader = await stage.node("reader")
    news = await reader.subscribe("prices.tea", since="first")
    node = await shop(stage, file)
    await node.publish("prices.tea", 1)
    assert await heard(news, 1) == [(1, 1, 0)]
    await node.close()
    lonely = meshmq.Node("shop", journal=file, mesh=f"{stage._mesh}-elsewhere")
    with lonely:
        lonely.topic("prices.**", history=100, durable=True)
        lonely.publish("prices.tea", 2)
    node = await shop(stage, file)
    await node.publish("prices.tea", 3)
    assert await heard(news, 2) == [(2, 2, 0), (3, 3, 0)]


async def test_the_journal_keeps_what_the_history_does(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    node = await shop(stage, file, history=10)
    for number in range(1, 101):
        await node.publish("prices.tea", number)
    await node.close()
    node = await shop(stage, file, history=10)
    reader = await stage.node("reader")
    now = await reader.subscribe("prices.tea")
    await now.ready(10)
    await node.publish("prices.tea", 101)
    assert [data for data, _, _ in await heard(now, 1)] == [101]
    news = await reader.subscribe("prices.tea", since="first")
    assert await heard(news, 10) == [(number, number, 0) for number in range(92, 102)]


async def test_durable_needs_a_journal_and_a_history(stage: Stage, tmp_path: Path) -> None:
    node = await stage.node("plain")
    with pytest.raises(meshmq.ConfigError, match="no journal"):
        await node.topic("prices.**", history=10, durable=True)
    node = await stage.node("shop", journal=tmp_path / "shop.db")
    with pytest.raises(meshmq.ConfigError, match="how much of it is kept"):
        await node.topic("prices.**", durable=True)
