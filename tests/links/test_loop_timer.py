"""One timer of a loop for all who wait there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from meshmq.links.loop_timer import LoopTimer
from meshmq.links.waiter import LoopWaiter


def test_each_is_told_when_its_time_is_over_and_no_sooner() -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        timer, over = LoopTimer(loop), list[int]()

        async def wait(seconds: float, number: int) -> None:
            begun = loop.time()
            assert not await LoopWaiter(timer).wait(seconds)
            assert loop.time() - begun >= seconds - 0.001
            over.append(number)

        # The second is due first, and the last two at one moment.
        await asyncio.gather(wait(0.06, 3), wait(0.02, 1), wait(0.04, 2), wait(0.12, 4), wait(0.12, 5))
        return over

    assert asyncio.run(main()) == [1, 2, 3, 4, 5]


def test_waits_that_end_before_their_time_cost_the_loop_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        timer, timers = LoopTimer(loop), list[float]()
        call_at = loop.call_at

        def counted(when: float, *rest: Any) -> asyncio.TimerHandle:
            timers.append(when)
            return call_at(when, *rest)

        monkeypatch.setattr(loop, "call_at", counted)
        for _ in range(1_000):
            waiter = LoopWaiter(timer)
            loop.call_soon(waiter.wake)
            assert await waiter.wait(5.0)
        assert len(timer._alarms) == 0
        return len(timers)

    assert asyncio.run(main()) == 1
