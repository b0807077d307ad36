"""Who waits is woken at once, whoever brings what it waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

import pytest

from meshmq.links.engine import Engine
from tests.drivers.fakes import LIMIT, ToyDecider, give, take, take_driving
from tests.drivers.test_keeper import kept
from tests.scale import scale
from tests.stalls import Stalls


@pytest.mark.parametrize(
    ("count", "events", "taken"),
    [
        pytest.param(8, scale(1_000, 10_000), take, id="driven by the keeper"),
        pytest.param(16, scale(2_000, 100_000), take_driving, id="one at a time drives, and another takes over"),
    ],
)
def test_threads_wait_for_something_each_and_no_wake_is_lost_or_late(
    count: int, events: int, taken: Callable[[Engine, ToyDecider, Hashable], bytes]
) -> None:
    waits: list[tuple[float, float]] = []
    failed: list[BaseException] = []
    with kept() as (engine, decider, links), Stalls() as stalls:

        def wait(key: bytes) -> None:
            try:
                for _ in range(events // count):
                    happened = float(taken(engine, decider, key))
                    waits.append((happened, time.monotonic()))
                    done.release()
            except BaseException as error:
                failed.append(error)

        done = threading.Semaphore(count)  # so many events are under way at once
        threads = [threading.Thread(target=wait, args=(b"%d" % number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for number in range(events // count * count):
            assert done.acquire(timeout=LIMIT), failed
            key = b"%d" % (number % count)
            # In turn from outside, from a thread beside the helm, and posted.
            match number % 3:
                case 0:
                    links.arrive(key, b"%r" % time.monotonic())
                case 1:
                    give(engine, decider, key, b"%r" % time.monotonic())
                case _:
                    engine.post(lambda key=key: decider.put(key, b"%r" % time.monotonic()))  # type: ignore[misc]  # see above
        for thread in threads:
            thread.join(LIMIT)
    assert not failed
    assert len(waits) == events // count * count
    assert stalls.late(waits) == []
