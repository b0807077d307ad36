"""What a connection carries, and what may be handed to it at a time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from meshmq.core.throughput import SPAN, WHOLE_SPAN, WINDOW, WINDOW_MOST, Throughput
from meshmq.wire.chunks import CHUNK_BYTES, CHUNK_MOST

MIB = 1024 * 1024


def carrying(rate: float, seconds: float, size: int = CHUNK_BYTES, *, busy: bool = True) -> Throughput:
    """Return what is known of a line that has carried so many bytes in a second, frame by frame."""
    line = Throughput()
    now = 0.0
    while now < seconds:
        since, now = now, now + size / rate
        line.covered(size, since, now, busy=busy)
    return line


def test_of_a_new_line_nothing_is_believed() -> None:
    line = Throughput()
    assert (line.window, line.chunk) == (WINDOW, CHUNK_BYTES)
    assert not line.takes_whole(1)


@pytest.mark.parametrize("rate", [4e6, 10e6], ids=["4 MB/s", "10 MB/s"])
def test_a_slow_line_is_treated_as_a_new_one(rate: float) -> None:
    line = carrying(rate, 3.0)
    assert (line.window, line.chunk) == (WINDOW, CHUNK_BYTES)
    assert not line.takes_whole(300 * 1024 + CHUNK_BYTES)


def test_a_fast_line_takes_whole_what_it_carries_in_a_moment() -> None:
    line = carrying(1e9, 0.1)
    assert line.rate == pytest.approx(1e9)
    assert line.window == int(line.rate * SPAN)
    assert line.takes_whole(int(0.99e9 * WHOLE_SPAN))
    assert not line.takes_whole(int(1.01e9 * WHOLE_SPAN))


def test_what_is_handed_over_has_a_bound_however_fast_the_line_is() -> None:
    line = carrying(1e12, 0.1, size=64 * MIB)
    assert (line.window, line.chunk) == (WINDOW_MOST, CHUNK_MOST)


def test_a_line_is_believed_to_be_fast_step_by_step() -> None:
    line = Throughput()
    rates = []
    for number in range(4):
        line.covered(64 * MIB, float(number), number + 0.002, busy=True)
        rates.append(line.rate)
    assert [later / rate for rate, later in pairwise(rates)] == [pytest.approx(4.0)] * 3


def test_covers_that_come_at_once_are_measured_together() -> None:
    line = Throughput()
    for number in range(20):  # two by two, 10 ms apart
        line.covered(CHUNK_BYTES, 0.0, 0.01 * (number // 2 + 1), busy=True)
    assert line.rate < 4 * CHUNK_BYTES / 0.01


def test_a_line_that_becomes_slow_is_found_out() -> None:
    line = carrying(1e9, 0.1)
    for number in range(12):
        line.covered(MIB, 1.0 + number, 1.25 + number, busy=False)
    assert line.rate == pytest.approx(4 * MIB)


def test_little_at_a_time_does_not_make_a_line_slow() -> None:
    line = carrying(1e9, 0.1)
    for number in range(50):
        line.covered(100, 1.0 + number, 1.05 + number, busy=False)
        line.covered(MIB, 1.5 + number, 1.502 + number, busy=False)  # one at a time: there was no more
    assert line.rate == pytest.approx(1e9)
