"""One of many subscribers stands still under load: what it got and was told as missed is all that was sent."""

from __future__ import annotations

import threading
from typing import Any, Final

import pytest

from tests.network.audience import Publisher, Subscriber
from tests.network.conftest import Spawn
from tests.scale import STRESS, scale

RATE: Final = scale(4_000, 20_000)
COUNT: Final = RATE * scale(1, 6)
STOP: Final = 2.0 if STRESS else 0.5
OTHERS: Final = scale(2, 9)
CAPACITY: Final = RATE // 10
#: Who has room for all of it loses nothing, however slow this machine is.
AMPLE: Final = {"patterns": ["load"], "capacity": 2 * COUNT}
WAIT: Final = 90.0


@pytest.mark.parametrize(
    ("overflow", "history"),
    [
        pytest.param("drop_oldest", 0, id="drop_oldest, no history"),
        pytest.param("drop_oldest", 2 * COUNT, id="drop_oldest, history", marks=pytest.mark.stress),
        pytest.param("drop_newest", 0, id="drop_newest, no history", marks=pytest.mark.stress),
        pytest.param("drop_newest", 2 * COUNT, id="drop_newest, history", marks=pytest.mark.stress),
        pytest.param("disconnect", 0, id="disconnect, no history", marks=pytest.mark.stress),
        pytest.param("disconnect", 2 * COUNT, id="disconnect, history"),
    ],
)
def test_subscriber_that_was_stopped_is_told_exactly_what_it_missed(
    spawn: Spawn, mesh_name: str, overflow: str, history: int
) -> None:
    tight = {"patterns": ["load"], "capacity": CAPACITY, "overflow": overflow}
    rows, others = load(spawn, mesh_name, history, [tight, {**AMPLE, "overflow": overflow}])
    for row in rows:
        assert row["received"] + row["missed"] == COUNT
        assert row["wrong"] == 0
        ((first, last),) = row["spans"].values()
        assert first == 1
        assert row["gaps"] + COUNT - last == row["missed"]  # the rest is after the last that it got
    narrow, ample = rows
    print(f"{overflow}: narrow {narrow['missed']:,} missed {narrow['raised']}, ample {ample['missed']:,} of {COUNT:,}")
    assert bool(narrow["raised"]) == (overflow == "disconnect" and narrow["missed"] > 0)
    assert not ample["raised"]
    if history:
        assert ample["missed"] == 0
    for row in others:
        assert (row["received"], row["missed"], row["wrong"]) == (COUNT, 0, 0)


def load(
    spawn: Spawn, mesh: str, history: int, specs: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Publish to one that is stopped for a while, and to others; returns what each told."""
    stopped = Subscriber(spawn, mesh, *specs)
    others = [Subscriber(spawn, mesh, AMPLE) for _ in range(OTHERS)]
    publisher = Publisher(spawn, mesh, *(["--history", history] if history else []))
    publisher.do("wait", "load", 1 + OTHERS)
    for one in (stopped, *others):
        one.ready()
    publisher.begin("publish", "load", COUNT, RATE, 0)
    threading.Event().wait(STOP / 4)
    stopped.child.stop()
    threading.Event().wait(STOP)
    stopped.child.resume()
    measured = publisher.done(WAIT)
    print(f"{COUNT:,} in {measured['seconds']:.1f} s, the slowest publish {measured['slowest'] * 1e3:.1f} ms")
    rows = stopped.total(COUNT, WAIT)
    told = [row for one in others for row in one.total(COUNT, WAIT)]
    publisher.leave()
    return rows, told
