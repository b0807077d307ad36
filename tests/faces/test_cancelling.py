"""A wait that is cancelled eats no job, on any loop and with either driver."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

import pytest

import meshmq
from tests.scale import STRESS

SECONDS: Final = 5.0 if STRESS else 0.4


@pytest.fixture(params=["asyncio", "uvloop", "portable"])
def new_loop(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], asyncio.AbstractEventLoop]:
    """Make the loop to run in."""
    if request.param == "portable":
        monkeypatch.setenv("MESHMQ_PORTABLE", "1")
    if request.param != "uvloop":
        return asyncio.new_event_loop
    pytest.importorskip("uvloop")
    make: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return make


def test_tiny_timeouts_lose_no_job(new_loop: Callable[[], asyncio.AbstractEventLoop], mesh_name: str) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        jobs, runs, cancelled = runner.run(push_and_cancel(mesh_name, "wait_for"))
    assert {job for job, _ in runs} == set(range(jobs))
    assert unflagged_twice(runs) == []
    assert cancelled


@pytest.mark.stress
def test_cancelled_tasks_lose_no_job(new_loop: Callable[[], asyncio.AbstractEventLoop], mesh_name: str) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        jobs, runs, cancelled = runner.run(push_and_cancel(mesh_name, "cancel"))
    assert {job for job, _ in runs} == set(range(jobs))
    assert unflagged_twice(runs) == []
    assert cancelled


async def push_and_cancel(mesh: str, way: str) -> tuple[int, list[tuple[object, int]], int]:
    """Push for a while and receive with waits that end at once; returns how many, every execution, and the misses."""
    random = Random(6)
    runs: list[tuple[object, int]] = []
    missed = 0
    async with meshmq.AsyncNode("pusher", mesh=mesh) as pusher, meshmq.AsyncNode("worker", mesh=mesh) as worker:
        over = False

        async def push() -> int:
            count, end = 0, time.monotonic() + SECONDS
            while time.monotonic() < end:
                await pusher.push("jobs", count)
                count += 1
                if random.random() < 0.2:
                    await asyncio.wait([receiving], timeout=random.uniform(0, 0.002))
            return count

        async def receive() -> None:
            nonlocal missed
            receiver = worker.pull("jobs")
            while not over:
                tiny = random.choice([0, 1e-6, 1e-4, 1e-3])
                try:
                    if way == "wait_for":
                        message = await asyncio.wait_for(receiver.receive(), tiny)
                    else:
                        message = await cancelled_after(receiver, tiny)
                except (TimeoutError, asyncio.CancelledError):
                    missed += 1
                    await asyncio.sleep(0)
                else:
                    runs.append((message.data, message.attempt))

        receiving = asyncio.create_task(receive())
        count = await push()
        await pusher.flush(20)
        over = True
        await receiving
    return count, runs, missed


async def cancelled_after(receiver: meshmq.AsyncReceiver[meshmq.AsyncMessage], seconds: float) -> meshmq.AsyncMessage:
    task = asyncio.create_task(receiver.receive())
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    return await task


def unflagged_twice(runs: list[tuple[object, int]]) -> list[object]:
    firsts = Counter(job for job, attempt in runs if attempt == 1)
    return [job for job, count in firsts.items() if count > 1]
