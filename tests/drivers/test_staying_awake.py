"""Who stays awake for a moment before it sleeps: one that lanes lead to, alone, and only as long as that pays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from meshmq.drivers.loop import LoopDriver
from meshmq.links import vigil
from meshmq.links.engine import Engine
from meshmq.links.nest import Nest
from tests.drivers.fakes import give, opened, take_async, take_driving
from tests.drivers.test_caller import Asker, until
from tests.drivers.test_keeper import kept


@pytest.fixture(autouse=True)
def several_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil, "_PAYS", True)


@pytest.fixture
def stays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long somebody meant to stay awake, each time."""
    spans, stay = list[float](), Nest.stay

    def noted(nest: Nest, seconds: float) -> bool:
        spans.append(seconds)
        return stay(nest, seconds)

    monkeypatch.setattr(Nest, "stay", noted)
    return spans


def goes_to_sleep(engine: Engine) -> Callable[[], bool]:
    """Whether who drives has nothing left to do; the first step, which is due at once, is over."""

    def claim() -> bool:
        with engine.gate:
            return engine.helm.borrowed and engine.helm.borrowed_until > engine.now()

    return claim


@pytest.mark.parametrize("lanes", [0, 1])
def test_a_thread_that_drives_stays_awake_where_a_lane_leads_to_it(stays: list[float], lanes: int) -> None:
    with kept() as (engine, decider, links):
        links.lanes = lanes
        asker = Asker(engine, decider, b"a")
        until(goes_to_sleep(engine))
        links.arrive(b"a", b"1")
        asker.join()
        assert asker.got == [b"1"]
        assert bool(stays) == bool(lanes)


def test_a_thread_sleeps_at_once_where_others_wait_too(stays: list[float]) -> None:
    with kept() as (engine, decider, links):
        asker = Asker(engine, decider, b"a")
        until(goes_to_sleep(engine))
        other = Asker(engine, decider, b"b")
        until(lambda: "2 waiting" in repr(engine))
        links.lanes = 1
        engine.wake()
        for key in (b"a", b"b"):
            links.arrive(key, b"1")
        asker.join()
        other.join()
        assert not stays


def test_what_a_thread_catches_awake_is_what_it_would_have_woken_for(stays: list[float]) -> None:
    with kept() as (engine, decider, links):
        links.lanes = 1
        for number in range(200):
            links.arrive(b"a", b"%d" % number)
            assert take_driving(engine, decider, b"a") == b"%d" % number
        give(engine, decider, b"a", b"given")
        assert take_driving(engine, decider, b"a") == b"given"


@pytest.mark.parametrize("lanes", [0, 1])
def test_a_loop_is_kept_awake_after_something_came_by_a_lane(lanes: int) -> None:
    async def main() -> None:
        with opened() as (engine, decider, links):
            links.lanes = lanes
            loop, turns = asyncio.get_running_loop(), 0
            driver = LoopDriver(engine, loop, portable=False)
            driver.attach()
            call_soon = loop.call_soon

            def counted(callback: object, *arguments: object, **more: object) -> asyncio.Handle:
                nonlocal turns
                turns += getattr(callback, "__func__", None) is LoopDriver._stay
                return call_soon(callback, *arguments, **more)  # type: ignore[arg-type]  # as it came

            vars(loop)["call_soon"] = counted
            for number in range(20):
                links.arrive(b"a", b"%d" % number)
                assert await take_async(engine, decider, b"a") == b"%d" % number
            assert bool(turns) == bool(lanes)
            while driver._awake_until is not None:
                await asyncio.sleep(0)
            ended = turns
            for _ in range(100):
                await asyncio.sleep(0)
            assert turns == ended, "where nothing comes it goes to sleep"
            driver.detach()

    asyncio.run(main())
