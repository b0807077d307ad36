from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meshmq.drivers.loop import LoopDriver
from meshmq.errors import ClosedError, InUseError, TimedOut
from meshmq.links.engine import Engine
from meshmq.links.interrupts import install_signals, release_signals
from tests.drivers.fakes import LIMIT, Hand, ToyDecider, ToyLinks, give, take, take_async, toy

Main = Callable[[], Coroutine[Any, Any, None]]


def run_asyncio(main: Main) -> None:
    asyncio.run(main())


def run_uvloop(main: Main) -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def watchless() -> asyncio.AbstractEventLoop:
    """Return a loop that cannot watch descriptors for others, as the default one on Windows."""

    def add_reader(*arguments: object) -> None:
        raise NotImplementedError

    loop = asyncio.new_event_loop()
    vars(loop)["add_reader"] = add_reader
    return loop


def run_watchless(main: Main) -> None:
    with asyncio.Runner(loop_factory=watchless) as runner:
        runner.run(main())


def run_portable(main: Main) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHMQ_PORTABLE", "1")
        asyncio.run(main())


WAYS = [run_asyncio, run_uvloop, run_watchless, run_portable]


@pytest.fixture(params=WAYS)
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    way: Callable[[Main], None] = request.param
    return way


@asynccontextmanager
async def driven(**keywords: Any) -> AsyncIterator[tuple[Engine, ToyDecider, ToyLinks]]:
    engine, decider, links = toy(**keywords)
    driver = LoopDriver(engine, asyncio.get_running_loop())
    driver.attach()
    try:
        yield engine, decider, links
    finally:
        driver.detach()
        driver.detach()
        engine.close(0.0)


def test_what_arrives_reaches_the_task_that_waits(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        async with driven() as (engine, decider, links):
            links.arrive(b"a", b"1")
            assert await take_async(engine, decider, b"a") == b"1"
            task = asyncio.ensure_future(take_async(engine, decider, b"a"))
            await asyncio.sleep(0)
            thread = threading.Thread(target=links.arrive, args=(b"a", b"2"))
            thread.start()
            assert await task == b"2"
            thread.join()
            give(engine, decider, b"a", b"3")
            assert await take_async(engine, decider, b"a") == b"3"

    run(main)


def test_a_deadline_is_kept_and_one_brought_forward_too(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        async with driven() as (engine, decider, _):
            began = time.monotonic()
            for seconds in (LIMIT, 0.05, 0.1):
                with engine.gate:
                    decider.deadline = (
                        began + seconds if decider.deadline is None else min(decider.deadline, began + seconds)
                    )
                    engine.flush()
            await take_async(engine, decider, "tick")
            assert 0.05 <= time.monotonic() - began < LIMIT / 2

    run(main)


def test_a_deadline_put_off_does_not_tick_early(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        async with driven() as (engine, decider, _):
            began = time.monotonic()
            for seconds in (0.02, 0.08):
                with engine.gate:
                    over = len(decider.ticks)  # where the machine is so busy that it is late to put it off
                    decider.deadline = began + seconds
                    engine.flush()
                engine.wake()
            for _ in range(over + 1):
                await take_async(engine, decider, "tick")
            assert decider.ticks[over] - began >= 0.08

    run(main)


def test_a_flood_does_not_starve_a_timer(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        async with driven(budget=16) as (engine, decider, links):
            for _ in range(16 * 1_000):
                links.arrived.append((b"flood", b""))
            engine.wake()
            late = []
            loop = asyncio.get_running_loop()
            for _ in range(5):
                began = time.process_time()  # ours alone: the machine may be busy with others
                ticked = loop.create_future()
                loop.call_at(loop.time() + 0.01, ticked.set_result, None)
                await ticked
                late.append(time.process_time() - began - 0.01)
            assert min(late) < 0.01, late
            for _ in range(16 * 1_000):
                await take_async(engine, decider, b"flood")

    run(main)


def test_the_flood_comes_one_step_per_turn_of_the_loop() -> None:
    async def main() -> None:
        async with driven(budget=1) as (engine, _, links):
            for _ in range(50):
                links.arrived.append((b"flood", b""))
            engine.wake()
            turns = 0
            while links.arrived:
                await asyncio.sleep(0)
                turns += 1
            assert turns >= 49

    run_asyncio(main)


def test_a_cancelled_wait_passes_its_wake_on(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        async with driven() as (engine, decider, _):
            first = asyncio.ensure_future(take_async(engine, decider, b"a"))
            await asyncio.sleep(0)
            second = asyncio.ensure_future(take_async(engine, decider, b"a"))
            await asyncio.sleep(0)
            give(engine, decider, b"a", b"1")
            first.cancel()
            assert await second == b"1"
            assert first.cancelled()

    run(main)


def test_tiny_timeouts_lose_nothing(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        async with driven() as (engine, decider, links):
            got: list[bytes] = []
            for number in range(300):
                threading.Thread(target=links.arrive, args=(b"a", b"%d" % number)).start()
                for _ in range(3):
                    try:
                        got.append(await asyncio.wait_for(take_async(engine, decider, b"a"), 0.0002))
                    except TimeoutError:
                        continue
            while len(got) < 300:
                got.append(await take_async(engine, decider, b"a"))
            assert sorted(got) == sorted(b"%d" % number for number in range(300))

    run(main)


def test_a_break_ends_the_wait_and_the_driving(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        async with driven() as (engine, decider, links):
            links.error = ValueError("broken")
            engine.wake()
            with pytest.raises(ClosedError, match="broken"):
                await take_async(engine, decider, b"a")

    run(main)


def test_it_idles_without_turns() -> None:
    async def main() -> None:
        async with driven(clock=Hand()) as (engine, decider, links):
            engine.post(lambda: decider.put("settled", b""))
            await take_async(engine, decider, "settled")
            before = links.steps
            with pytest.raises(TimedOut):
                await take_async(engine, decider, b"never", timeout=0.2)
            assert links.steps - before <= 1

    run_asyncio(main)


def test_which_way_is_known_after_attaching() -> None:
    async def portable() -> bool:
        engine, _, _ = toy()
        driver = LoopDriver(engine, asyncio.get_running_loop())
        driver.attach()
        with pytest.raises(InUseError):
            LoopDriver(engine, asyncio.get_running_loop()).attach()
        driver.detach()
        engine.close(0.0)
        return driver.portable

    seen: list[bool] = []

    async def main() -> None:
        seen.append(await portable())

    for way in (run_asyncio, run_watchless, run_portable):
        way(main)
    assert seen == [False, True, True]


def test_what_strikes_in_a_turn_does_not_stop_the_timer() -> None:
    loop = asyncio.new_event_loop()
    engine, decider, _ = toy()
    driver = LoopDriver(engine, loop)
    driver.attach()
    install_signals(b"test")

    def strike() -> None:
        decider.deadline = engine.now() + 0.01
        signal.raise_signal(signal.SIGINT)

    try:
        engine.post(strike)
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()
        loop.run_until_complete(take_async(engine, decider, "tick", timeout=2.0))
    finally:
        release_signals(b"test")
        driver.detach()
        engine.close(0.0)
        loop.close()


def test_the_keeper_steps_in_where_a_task_blocks_the_loop_and_not_where_the_loop_stands() -> None:
    loop = asyncio.new_event_loop()
    engine, decider, _ = toy()
    driver = LoopDriver(engine, loop)
    driver.attach()

    async def block() -> bytes:
        with engine.gate:
            decider.deadline = engine.now() + 0.01
            engine.flush()
        return take(engine, decider, "tick")

    try:
        loop.run_until_complete(block())
        with engine.gate:
            decider.deadline = engine.now() + 0.01
            engine.flush()
        with pytest.raises(TimedOut):
            take(engine, decider, "tick", timeout=1.0)
        loop.run_until_complete(take_async(engine, decider, "tick"))
    finally:
        driver.detach()
        engine.close(0.0)
        loop.close()


def test_detaching_after_the_loop_was_closed() -> None:
    loop = asyncio.new_event_loop()
    engine, _, _ = toy()
    driver = LoopDriver(engine, loop)
    driver.attach()
    loop.close()
    driver.detach()
    engine.close(0.0)
