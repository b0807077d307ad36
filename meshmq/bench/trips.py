"""Round trips: begun one after the other or on a schedule, one or several at a time, and how long each took.

On a schedule a round trip begins at the moment it was meant to: one that had to wait for a slow one before it counts
that, too. Otherwise the slow ones hide those that were never begun ("coordinated omission", Gil Tene).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from meshmq.bench.work import Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

#: Makes one round trip.
Ask = Callable[[], object]
AskAsync = Callable[[], Awaitable[object]]


def ask_all(stage: Stage, work: Work, asks: Sequence[Ask]) -> None:
    """Let each ask its share, in a thread of its own where there are several; tell how long each round trip took."""
    for ask in asks:
        for _ in range(max(1, work.warm // len(asks))):
            ask()
    stage.tell(ready=True)
    stage.wait_for_go()
    begun = time.perf_counter()
    took: list[list[float]] = [[] for _ in asks]
    if len(asks) == 1:
        _ask(asks[0], work, begun, 0, took[0])
    else:
        threads = [
            threading.Thread(target=_ask, args=(ask, work, begun, number, took[number]))
            for number, ask in enumerate(asks)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    _tell(stage, begun, took)


async def ask_all_async(stage: Stage, work: Work, asks: Sequence[AskAsync]) -> None:
    """Do as ``ask_all``, in a task each."""
    for ask in asks:
        for _ in range(max(1, work.warm // len(asks))):
            await ask()
    stage.tell(ready=True)
    await asyncio.to_thread(stage.wait_for_go)
    begun = time.perf_counter()
    took: list[list[float]] = [[] for _ in asks]
    await asyncio.gather(*(_ask_async(ask, work, begun, number, took[number]) for number, ask in enumerate(asks)))
    _tell(stage, begun, took)


def _ask(ask: Ask, work: Work, begun: float, number: int, took: list[float]) -> None:
    clock = time.perf_counter
    if work.rate is None:
        for _ in range(_rounds(work)):
            start = clock()
            ask()
            took.append(clock() - start)
        return
    pause = threading.Event()
    for meant in _schedule(work, begun, number):
        if (left := meant - clock()) > 0:
            pause.wait(left)
        ask()
        took.append(clock() - meant)


async def _ask_async(ask: AskAsync, work: Work, begun: float, number: int, took: list[float]) -> None:
    clock = time.perf_counter
    if work.rate is None:
        for _ in range(_rounds(work)):
            start = clock()
            await ask()
            took.append(clock() - start)
        return
    loop = asyncio.get_running_loop()
    for meant in _schedule(work, begun, number):
        if (left := meant - clock()) > 0:
            due = loop.create_future()
            loop.call_later(left, due.set_result, None)
            await due
        await ask()
        took.append(clock() - meant)


def _rounds(work: Work) -> int:
    return max(1, work.share // work.in_flight)


def _schedule(work: Work, begun: float, number: int) -> list[float]:
    """Return when the ``number``-th of those who ask is to begin its round trips."""
    assert work.rate is not None
    interval = work.senders / work.rate
    return [begun + (number + turn * work.in_flight) * interval for turn in range(_rounds(work))]


def _tell(stage: Stage, begun: float, took: list[list[float]]) -> None:
    stage.tell(seconds=time.perf_counter() - begun, microseconds=[round(one * 1e6, 1) for each in took for one in each])
