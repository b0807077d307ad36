"""A first publish reaches who was ready for it, whatever is slow or stands still; and a mutant is caught."""

from __future__ import annotations

import pytest

from meshmq.core.feed.tap import Tap
from meshmq.testing import SimulationFailed, simulate
from tests.core.feed.premiere import Premiere
from tests.replays import hold_halves
from tests.scale import scale

SCENARIO = "tests.core.feed.premiere:Premiere"


@pytest.mark.timeout(scale(test=120, stress=1_800))
def test_what_is_published_after_somebody_was_ready_is_theirs() -> None:
    hold_halves(SCENARIO, scale(test=20, stress=600))


def simulate_many(seeds: range) -> None:
    for seed in seeds:
        simulate(seed, scenario=Premiere(), faults=Premiere.faults)


@pytest.mark.stress
def test_who_asks_with_a_span_alone_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tap, "_early", lambda self, subscription: False)
    with pytest.raises(SimulationFailed):
        simulate_many(range(100))
