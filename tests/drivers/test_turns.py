"""What gathers in one turn of a loop leaves at its end, whoever gathered it and however the loop ends."""

from __future__ import annotations

import asyncio
import threading

from meshmq.drivers.loop import LoopDriver
from meshmq.links.engine import Engine
from tests.drivers.fakes import ToyDecider, take_async, toy
from tests.drivers.test_loop import driven


def ask(engine: Engine, decider: ToyDecider) -> None:
    """Do as a call does that waits for the end of the turn."""
    with engine.gate:
        decider.gathered = decider.gathers
        engine.flush()


def test_the_end_of_a_turn_is_told_once_and_after_those_who_are_ready() -> None:
    async def main() -> None:
        async with driven() as (engine, decider, _):
            before, asked = len(decider.turns), list[int]()

            async def one(number: int) -> None:
                ask(engine, decider)
                asked.append(len(decider.turns))

            await asyncio.gather(*[one(number) for number in range(10)])
            assert asked == [before] * 10
            await asyncio.sleep(0)
            assert len(decider.turns) == before + 1
            ask(engine, decider)
            await asyncio.sleep(0)
            assert len(decider.turns) == before + 2

    asyncio.run(main())


def test_a_thread_beside_the_loop_has_its_turn_ended_too() -> None:
    async def main() -> None:
        async with driven() as (engine, decider, _):
            before = len(decider.turns)
            await asyncio.to_thread(ask, engine, decider)
            while len(decider.turns) == before:
                await asyncio.sleep(0)

    asyncio.run(main())


def test_who_stops_driving_ends_the_turn_that_goes_on() -> None:
    async def main() -> None:
        engine, decider, _ = toy()
        driver = LoopDriver(engine, asyncio.get_running_loop())
        driver.attach()
        ask(engine, decider)
        before = len(decider.turns)
        driver.detach()
        assert len(decider.turns) == before + 1
        assert not decider.gathers
        engine.close(0.0)

    asyncio.run(main())


def test_where_the_loop_is_closed_there_are_no_turns_any_more() -> None:
    engine, decider, _ = toy()

    async def main() -> LoopDriver:
        driver = LoopDriver(engine, asyncio.get_running_loop())
        driver.attach()
        return driver

    driver = asyncio.run(main())
    before = len(decider.turns)
    ask(engine, decider)
    assert len(decider.turns) == before + 1
    assert not decider.gathers
    thread = threading.Thread(target=ask, args=(engine, decider))
    thread.start()
    thread.join()
    driver.detach()
    engine.close(0.0)


def test_a_keeper_has_no_turns() -> None:
    async def main() -> None:
        engine, decider, _ = toy()
        driver = LoopDriver(engine, asyncio.get_running_loop(), portable=True)
        driver.attach()
        assert not decider.gathers
        driver.detach()
        engine.close(0.0)

    asyncio.run(main())


def test_what_comes_begins_a_turn_anew_so_that_who_asks_one_by_one_never_gathers() -> None:
    async def main() -> None:
        async with driven() as (engine, decider, links):
            decider.sent_in_turn = True
            links.arrive(b"a", b"answer")
            await take_async(engine, decider, b"a")
            assert not decider.sent_in_turn

    asyncio.run(main())
