"""Sixteen threads on one engine: whoever drives, and whoever takes over, no wake is lost or late."""

from __future__ import annotations

import threading
import time

from tests.drivers.fakes import LIMIT, give, take_driving
from tests.drivers.test_keeper import kept
from tests.scale import scale
from tests.stalls import Stalls


def test_sixteen_threads_wait_for_something_each_and_no_wake_is_lost_or_late() -> None:
    """As ``test_wakes``; a thread at a time drives, and another takes over in the middle of it all."""
    events = scale(2_000, 100_000)
    waits: list[tuple[float, float]] = []
    failed: list[BaseException] = []
    with kept() as (engine, decider, links), Stalls() as stalls:

        def wait(key: bytes) -> None:
            try:
                for _ in range(events // 16):
                    happened = float(take_driving(engine, decider, key))
                    waits.append((happened, time.monotonic()))
                    done.release()
            except BaseException as error:
                failed.append(error)

        done = threading.Semaphore(16)
        threads = [threading.Thread(target=wait, args=(b"%d" % number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for number in range(events // 16 * 16):
            assert done.acquire(timeout=LIMIT), failed
            key = b"%d" % (number % 16)
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
    assert len(waits) == events // 16 * 16
    assert stalls.late(waits) == []
