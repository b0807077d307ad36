"""How long most round trips take: percentiles, corrected for what a slow one keeps from being begun.

Who waits for an answer before asking again does not ask while a slow one is on its way, and so measures it once, where
somebody who asks at a steady pace would have met it many times. HdrHistogram's ``recordValueWithExpectedInterval``
mends that, and so do we: a value above the expected interval counts again less one interval, less two, and so on down
to it. The expected interval is the median: as often as one asks here when all is well. What was measured on a schedule,
from the moment meant, needs no correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

#: What is told of them: of a hundred thousand the slowest.
PERCENTS: Final = (50.0, 90.0, 99.0, 99.9, 100.0)
#: How many a curve has: dense where it is steep.
CURVE: Final = (*range(0, 90, 5), *range(90, 99), *(99 + tenth / 10 for tenth in range(10)), 99.95, 99.99, 100)
#: The most values that one slow round trip stands for; a stall of a minute is no reason to fill the memory.
_MOST: Final = 1_000_000


def corrected(values: Sequence[float], expected: float) -> list[float]:
    """Return the values, sorted, with those that the slow ones have kept from being measured."""
    more: list[float] = []
    for value in values:
        missing = value - expected
        while missing >= expected > 0 and len(more) < _MOST:
            more.append(missing)
            missing -= expected
    return sorted([*values, *more])


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest of the sorted values that so many of a hundred do not exceed."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


def summary(values: Sequence[float], *, scheduled: bool) -> tuple[dict[str, float], list[list[float]]]:
    """Return the percentiles of round trips by name, and the curve of percents and values."""
    ordered = sorted(values) if scheduled else corrected(values, median(values))
    named = {f"p{percent:g}": percentile(ordered, percent) for percent in PERCENTS}
    return named, [[percent, percentile(ordered, percent)] for percent in CURVE]
