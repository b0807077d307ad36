"""Who waits is woken at once, whoever brings what it waits for."""

from __future__ import annotations

import threading
import time

from tests.drivers.fakes import LIMIT, give, take
from tests.drivers.test_keeper import kept
from tests.scale import scale
from tests.stalls import Stalls


def test_eight_threads_wait_for_something_each_and_no_wake_is_lost_or_late() -> None:
    events = scale(1_000, 10_000)
    waits: list[tuple[float, float]] = []
    failed: list[BaseException] = []
    with kept() as (engine, decider, links), Stalls() as stalls:

        def wait(key: bytes) -> None:
            try:
                for _ in range(events // 8):
                    happened = float(take(engine, decider, key))
                    waits.append((happened, time.monotonic()))
                    done.release()
            except BaseException as error:
                failed.append(error)

        done = threading.Semaphore(8)  # so many events are under way at once
        threads = [threading.Thread(target=wait, args=(b"%d" % number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for number in range(events // 8 * 8):
            assert done.acquire(timeout=LIMIT), failed
            key = b"%d" % (number % 8)
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
    assert len(waits) == events // 8 * 8
    assert stalls.late(waits) == []
