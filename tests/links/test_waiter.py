from __future__ import annotations

import asyncio
import threading
import time

import pytest

from meshmq.links.loop_timer import LoopTimer
from meshmq.links.waiter import LoopWaiter, ThreadWaiter
from tests.drivers.fakes import LIMIT


def test_a_thread_waits_until_woken_or_its_time_is_over() -> None:
    waiter = ThreadWaiter()
    assert not waiter.wait(0)
    began = time.monotonic()
    assert not waiter.wait(0.03)
    assert time.monotonic() - began >= 0.03
    threading.Timer(0.01, waiter.wake).start()
    assert waiter.wait(LIMIT)
    assert not waiter.wait(0)


def test_a_wake_before_the_wait_counts_and_two_are_one() -> None:
    waiter = ThreadWaiter()
    assert waiter.wake()
    assert waiter.wake()
    assert waiter.wait(None)
    assert not waiter.wait(0)


def test_a_timeout_beyond_what_locks_can_count_is_for_ever() -> None:
    waiter = ThreadWaiter()
    waiter.wake()
    assert waiter.wait(1e300)


def test_a_task_waits_until_woken_or_its_time_is_over() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        waiter = LoopWaiter(LoopTimer(loop))
        assert not await waiter.wait(0)
        assert not await waiter.wait(0.01)
        loop.call_soon(waiter.wake)
        assert await waiter.wait(LIMIT)
        thread = threading.Thread(target=waiter.wake)
        loop.call_soon(thread.start)
        assert await waiter.wait()
        thread.join()
        waiter.wake()
        assert await waiter.wait(0)
        assert not await waiter.wait(0)

    asyncio.run(main())


def test_a_cancelled_task_keeps_a_wake_of_the_same_moment() -> None:
    async def main() -> None:
        waiter = LoopWaiter(LoopTimer(asyncio.get_running_loop()))
        task = asyncio.ensure_future(waiter.wait())
        await asyncio.sleep(0)
        waiter.wake()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await waiter.wait(0)

    asyncio.run(main())


def test_a_task_of_a_closed_loop_is_not_there_any_more() -> None:
    loop = asyncio.new_event_loop()
    waiter = LoopWaiter(LoopTimer(loop))
    loop.close()
    assert not waiter.wake()
