"""A ``push_many`` that ends before its end says how many it has pushed, and these are the first ones; both faces."""

from __future__ import annotations

from pathlib import Path

import pytest

import meshmq
from tests.faces.stage import Stage, taken
from tests.faces.test_taken_back import slow_disk


async def test_the_error_says_how_many_were_pushed_and_what_the_disk_had_not_is_taken_back(
    stage: Stage, tmp_path: Path
) -> None:
    file = tmp_path / "orders.db"
    node = await stage.node("shop", journal=file, outbox_jobs=8)
    queue = await node.queue("orders", durable=True)
    assert await queue.push_many(range(3)) == 3
    with slow_disk(file), pytest.raises(meshmq.TimedOut) as caught:
        await queue.push_many(range(3, 6), timeout=0.1)
    assert caught.value.pushed == 0
    assert caught.value.__notes__ == ["push_many: 0 jobs had been pushed, the first ones"]
    assert queue.depth == 3
    with pytest.raises(meshmq.TimedOut) as caught:
        await queue.push_many(range(3, 20), timeout=3)
    assert caught.value.pushed == queue.depth - 3 == 5
    with pytest.raises(meshmq.EncodeError) as refused:
        await (await node.queue("others")).push_many([1, 2, object(), 3])
    assert refused.value.pushed == 2
    worker = await stage.node("worker")
    assert [message.data for message in await taken(await worker.pull("orders"), 8)] == list(range(8))
    assert [message.data for message in await taken(await worker.pull("others"), 2)] == [1, 2]
