"""How much a worker asks for ahead follows its own pace."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.credit import Pace, Ranges
from meshmq.settings import Settings


def test_who_has_done_nothing_asks_for_one_job_each() -> None:
    assert Pace(Settings()).window(consumers=1) == 1
    assert Pace(Settings()).window(consumers=4) == 4


def test_each_consumer_has_a_job_however_long_it_takes() -> None:
    pace = Pace(Settings())
    pace.observe(1, 0.5)
    assert [pace.window(consumers) for consumers in (0, 1, 4)] == [1, 1, 4]
    assert [Pace(Settings(), 2).window(consumers) for consumers in (0, 1, 4)] == [2, 2, 4]
    assert Pace(Settings(prefetch_jobs=2)).window(4) == 4


def test_a_fixed_window_is_what_was_asked_for() -> None:
    pace = Pace(Settings(), 7)
    pace.observe(1_000, 0.001)
    assert pace.window(1) == 7


def test_the_window_holds_a_tenth_of_a_second_of_work() -> None:
    pace = Pace(Settings())
    for _ in range(200):
        pace.observe(10, 0.01)  # one millisecond each
    assert 90 <= pace.window(1) <= 110
    assert 180 <= pace.window(2) <= 220
    assert pace.window(0) == pace.window(1)


def test_it_at_most_doubles_with_what_was_done() -> None:
    pace = Pace(Settings())
    pace.observe(3, 0.00001)
    assert pace.window(1) == 6


def test_it_never_exceeds_the_settings_nor_sinks_below_one() -> None:
    pace = Pace(Settings(prefetch_jobs=50))
    for _ in range(100):
        pace.observe(100, 0.0)
    assert pace.window(1) == 50
    pace.observe(1, 3600.0)
    assert pace.window(1) == 1


def test_a_slow_job_counts_at_once_and_a_quick_one_has_to_prove_itself() -> None:
    pace = Pace(Settings())
    pace.observe(10, 0.01)
    pace.observe(1, 1.0)
    assert pace.service == 1.0
    pace.observe(1, 0.001)
    assert 0.7 < pace.service < 0.8


def test_no_jobs_teach_nothing() -> None:
    pace = Pace(Settings())
    pace.observe(0, 5.0)
    assert (pace.done, pace.window(1)) == (0, 1)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6)), max_size=40))
def test_ranges_are_the_set_of_what_was_added(spans: list[tuple[int, int]]) -> None:
    ranges, numbers = Ranges(), set[int]()
    assert not ranges
    for first, length in spans:
        ranges.add(first, first + length)
        numbers.update(range(first, first + length + 1))
    assert [number for number in range(70) if number in ranges] == sorted(numbers)
    pairs = ranges.pairs()
    assert pairs == sorted(pairs)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(pairs))


def test_the_oldest_ranges_are_forgotten() -> None:
    ranges = Ranges(most=3)
    for number in range(0, 20, 2):
        ranges.add(number, number)
    assert ranges.pairs() == [(14, 14), (16, 16), (18, 18)]
