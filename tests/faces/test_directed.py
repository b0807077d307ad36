"""Jobs for one node alone, on both faces."""

from __future__ import annotations

import pytest

import meshmq
from tests.faces.stage import Stage


async def test_a_job_may_be_for_one_node_alone(stage: Stage) -> None:
    pusher = await stage.node("pusher")
    first, second = await stage.node("first"), await stage.node("second")
    receivers = {"first": await first.pull("jobs"), "second": await second.pull("jobs")}
    for number in range(10):
        await pusher.push("jobs", number, to="second")
    assert [(await receivers["second"].receive(timeout=10)).data for _ in range(10)] == list(range(10))
    with pytest.raises(meshmq.TimedOut):
        await receivers["first"].receive(timeout=0.05)
    twin = await stage.node("second")
    await pusher.wait_for(pull="jobs", timeout=10)
    await twin.pull("jobs")
    await pusher.wait_for(pull="jobs", count=3, timeout=10)
    with pytest.raises(meshmq.AmbiguousPeer):
        await pusher.push("jobs", 1, to="second")
    await pusher.push("jobs", "by id", to=twin.id)
