"""Calls that have nothing to wait for give the loop a turn now and then: seldom where they are quick."""

from __future__ import annotations

import asyncio

import pytest

import meshmq
from meshmq.faces.tasks import TURN_AFTER

MOST = 4 * TURN_AFTER


@pytest.mark.parametrize(("took", "turns"), [(0.0, 3), (0.002 / TURN_AFTER, 12)])
async def test_the_loop_has_a_turn_after_some_calls_and_sooner_where_they_take_long(
    mesh_name: str, took: float, turns: int
) -> None:
    node = meshmq.AsyncNode(mesh=mesh_name)
    await node.open()
    moment, had = 0.0, 0
    node._clock = lambda: moment

    async def count() -> None:
        nonlocal had
        while True:
            had += 1
            await asyncio.sleep(0)

    await node._take_turn()
    task = asyncio.create_task(count())
    for number in range(3 * MOST):
        moment += took
        await node.push("jobs", number)
    task.cancel()
    assert had == turns
    with pytest.raises(meshmq.Undelivered):
        await node.close(0)
