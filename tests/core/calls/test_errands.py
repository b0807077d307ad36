"""Calls under everything that networks and processes do to them."""

from __future__ import annotations

import pytest

from tests.replays import hold, hold_halves, same_everywhere
from tests.scale import scale

SCENARIO = "tests.core.calls.errands:Errands"


@pytest.mark.timeout(scale(test=240, stress=1_800))
def test_every_call_ends_once_and_is_told_the_truth() -> None:
    hold_halves(SCENARIO, scale(test=10, stress=200))


@pytest.mark.stress
def test_one_that_nobody_can_dial_is_one_of_them() -> None:
    count = scale(test=5, stress=40)
    hold(SCENARIO, (7_000, count, ["--set", "hidden=4"]), (8_000, count, ["--set", "hidden=1"]))


@pytest.mark.stress
def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    same_everywhere(SCENARIO, 10, scale(test=2, stress=5))
