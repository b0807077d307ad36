"""The watchdog names slow handlers once, then every 30 s, and says where they stand."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from meshmq.handling import Crew, Place, read_handler
from meshmq.watchdog import Watchdog, where

SLOW = 5.0


class Nobody:
    """A node, and a supply, as far as a crew in a test asks for one."""

    title = "queue 'jobs'"

    def _tell_progress(self) -> None: ...

    def _tell_quick(self) -> None: ...


class Scene:
    """A watchdog over one handler, with as many places as a test says."""

    def __init__(self, places: int, limit: int) -> None:
        nobody: Any = Nobody()
        handler = read_handler(print, "queue 'jobs'", may_be_async=True, may_yield=False)
        self.crew: Crew[Any, Any] = Crew(nobody, handler, nobody, nobody, limit)
        self.crew.places = [Place(nobody) for _ in range(places)]
        self.told: list[int] = []
        self.dog = Watchdog(SLOW, lambda: [self.crew], lambda stuck: self.told.append(len(stuck)))


def test_handler_is_named_when_it_is_slow_then_every_half_minute(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(1, 2)
    scene.crew.places[0].since = 100.0
    assert scene.dog.look(101.0) == 105.0
    assert not caplog.records
    assert scene.dog.look(105.0) == 110.0
    assert "print of queue 'jobs' has been at work for 5 s" in caplog.text
    for moment in (110.0, 120.0, 134.9):
        scene.dog.look(moment)
    assert len(caplog.records) == 1
    scene.dog.look(135.0)
    assert "for 35 s" in caplog.text


def test_next_slow_item_of_a_place_is_named_again(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(1, 2)
    for begun in (100.0, 106.0):
        scene.crew.places[0].since = begun
        scene.dog.look(begun + SLOW)
    assert len(caplog.records) == 2


def test_idle_handlers_are_looked_at_once_in_the_time_that_is_slow() -> None:
    assert Scene(3, 3).dog.look(100.0) == 100.0 + SLOW


def test_node_is_told_stuck_while_all_places_are_slow_and_once_when_they_are_not() -> None:
    scene = Scene(2, 2)
    first, second = scene.crew.places
    first.since, second.since = 100.0, 103.0
    scene.dog.look(105.0)
    assert scene.told == []
    scene.dog.look(108.0)
    assert scene.told == [1]
    first.since = None
    scene.dog.look(109.0)
    scene.dog.look(110.0)
    assert scene.told == [1, 0]


def test_places_that_may_still_be_made_are_free() -> None:
    scene = Scene(1, 2)
    scene.crew.places[0].since = 100.0
    scene.dog.look(200.0)
    assert scene.told == []


def test_where_a_thread_stands_is_told_innermost_first() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def inner() -> None:
        begun.set()
        go_on.wait(10)

    def outer() -> None:
        inner()

    thread = threading.Thread(target=outer)
    thread.start()
    assert begun.wait(10)
    told = where(thread)
    go_on.set()
    thread.join()
    assert "test_watchdog.py" in told
    assert "in inner" in told


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def outer() -> None:
    await wait_for_ever()


def test_where_a_task_stands_is_told_through_all_it_awaits() -> None:
    async def main() -> str:
        task = asyncio.create_task(outer())
        await asyncio.sleep(0)
        told = where(task)
        task.cancel()
        await asyncio.wait([task])
        return told

    told = asyncio.run(main())
    assert "in wait_for_ever" in told
    assert "in outer" in told
    assert told.index("in wait_for_ever") < told.index("in outer")
