"""Percentiles count what a slow round trip kept from being measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshmq.bench.latency import CURVE, PERCENTS, corrected, percentile, summary


def test_slow_one_stands_for_those_it_kept_from_being_begun() -> None:
    assert corrected([1.0, 5.0, 1.0], expected=1.0) == [1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_what_was_on_schedule_is_taken_as_it_is() -> None:
    took = [1.0] * 99 + [100.0]
    assert summary(took, scheduled=True)[0] == {"p50": 1.0, "p90": 1.0, "p99": 1.0, "p99.9": 100.0, "p100": 100.0}
    assert summary(took, scheduled=False)[0]["p90"] > 50.0, "half of the time of this run was one stall"


def test_expected_interval_of_nothing_adds_nothing() -> None:
    assert corrected([0.0, 3.0], expected=0.0) == [0.0, 3.0]


@given(st.lists(st.floats(min_value=0.1, max_value=1000.0), min_size=1))
def test_percentiles_are_of_the_values_and_grow(took: list[float]) -> None:
    named, curve = summary(took, scheduled=True)
    assert list(named.values()) == sorted(named.values())
    assert set(named.values()) <= set(took)
    assert [percent for percent, _ in curve] == list(CURVE)
    assert percentile(sorted(took), 100.0) == max(took) == named["p100"]
    assert len(named) == len(PERCENTS)
    assert summary(took, scheduled=False)[0]["p50"] >= named["p50"]
