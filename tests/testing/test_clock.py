"""The clock in the test's hand."""

from __future__ import annotations

import pytest

from meshmq.testing import HandClock


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = HandClock(start=5.0)
    assert clock() == clock() == clock.now() == 5.0
    assert clock.advance(0.5) == clock() == 5.5


def test_whoever_listens_is_told_after_the_move() -> None:
    clock = HandClock(start=0.0)
    seen: list[float] = []

    def listener() -> None:
        seen.append(clock())

    clock.listen(listener)
    clock.advance(1)
    clock.advance_to(3)
    clock.forget(listener)
    clock.forget(listener)
    clock.advance(1)
    assert seen == [1, 3]


def test_a_clock_never_goes_back() -> None:
    clock = HandClock(start=9.0)
    with pytest.raises(ValueError, match="only moves forward"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="only moves forward"):
        clock.advance(float("nan"))
    assert clock.advance_to(2) == 9.0
    assert repr(clock) == "<HandClock at 9.000 s>"
