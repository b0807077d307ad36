"""Subscribers that never read harm nobody: neither the publisher's memory, nor its time, nor others."""

from __future__ import annotations

from typing import Final

import pytest

from tests.network.audience import Publisher, Subscriber
from tests.network.conftest import Spawn
from tests.scale import STRESS, scale

MIB: Final = 1024 * 1024
#: Each a little over 10 MB in stress, as in the issue; 2 MB here.
SIZE: Final = scale(2_000_000, 10_000_000)
COUNT: Final = scale(50, 1_000)
IDLERS: Final = scale(2, 10)
SMALL: Final = 20
#: Far above what a publish takes: one that waited for a subscriber would take for ever.
NEVER_WAITS: Final = 5.0
WAIT: Final = 400.0 if STRESS else 50.0


@pytest.mark.stress
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "stopped", [pytest.param(False, id="reading nothing"), pytest.param(True, id="stopped", marks=pytest.mark.stress)]
)
def test_subscribers_that_never_read_cost_the_publisher_bounded_memory(
    spawn: Spawn, mesh_name: str, stopped: bool
) -> None:
    idlers = [Subscriber(spawn, mesh_name, {"patterns": ["big"], "read": False}) for _ in range(IDLERS)]
    reader = Subscriber(spawn, mesh_name, {"patterns": ["big"]}, {"patterns": ["small"]})
    publisher = Publisher(spawn, mesh_name)
    publisher.do("wait", "big", IDLERS + 1)
    for one in (*idlers, reader):
        one.ready()
    publisher.do("publish", "small", SMALL, 0, 0)  # what is only done once is not counted as growth
    if stopped:
        for idler in idlers:
            idler.child.stop()
    measured = publisher.do("publish", "big", COUNT, 0, SIZE, timeout=WAIT)
    publisher.do("publish", "small", SMALL, 0, 0)
    publisher.do("say", "small", "end")
    publisher.do("say", "big", "end")
    big, small = reader.told(WAIT)
    print(f"{measured}, the reader missed {big['missed']} of {COUNT}")
    assert measured["grown"] < 80 * MIB
    assert measured["slowest"] < NEVER_WAITS
    assert (small["received"], small["missed"], small["wrong"]) == (2 * SMALL + 1, 0, 0)
    assert (big["received"] + big["missed"], big["wrong"]) == (COUNT + 1, 0)
    assert big["gaps"] == big["missed"]
    for idler in idlers:
        idler.child.kill()
    publisher.leave()
