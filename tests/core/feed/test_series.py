"""What a publisher keeps of a topic, and where a subscription begins in it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.feed.kept import Row
from meshmq.core.feed.series import Series, Shelf
from meshmq.history import History


def row(seq: int, at: float = 0.0, size: int = 10) -> Row:
    return Row(seq, [b"x" * min(size, 10)], (), None, at, size)


def publish(series: Series, *moments: float, size: int = 10) -> None:
    for at in moments:
        series.head += 1
        series.last_at = at
        series.keep(row(series.head, at, size), at)


def put_loosely(shelf: Shelf, series: Series, row: Row) -> None:
    series.keep(row, row.at)
    shelf.put(series, row)


def test_of_a_history_by_count_the_last_are_kept() -> None:
    series = Series("a", 1, History(messages=3), 0.0)
    publish(series, *range(10))
    assert list(series.kept) == [8, 9, 10]
    assert (series.oldest, series.kept.size) == (8, 30)


def test_of_a_history_by_bytes_as_many_are_kept_as_fit_and_one_at_least() -> None:
    series = Series("a", 1, History(size=25), 0.0)
    publish(series, *range(10))
    assert list(series.kept) == [9, 10]
    publish(series, 11, size=1_000)
    assert list(series.kept) == [11]


def test_of_a_history_by_age_none_is_kept_that_is_older() -> None:
    series = Series("a", 1, History(seconds=5.0), 0.0)
    publish(series, *range(10))
    assert list(series.kept) == [5, 6, 7, 8, 9, 10]
    series.trim(100.0)
    assert (list(series.kept), series.oldest, series.kept.size) == ([], 0, 0)


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 3)), max_size=40), st.integers(1, 8), st.integers(1, 200))
def test_a_history_keeps_within_all_its_bounds(given: list[tuple[int, float]], messages: int, size: int) -> None:
    series, now = Series("a", 1, History(messages=messages, size=size, seconds=4.0), 0.0), 0.0
    for bytes_, pause in given:
        now += pause
        publish(series, now, size=bytes_)
        assert series.kept.size == sum(one.size for one in series.kept.items())
        assert len(series.kept) <= messages
        assert series.kept.size <= size or len(series.kept) == 1
        assert all(now - one.at <= 4.0 for one in series.kept.items())
        assert list(series.kept) == list(range(series.head + 1 - len(series.kept), series.head + 1))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3_000)), max_size=60))
def test_a_shelf_drops_the_oldest_of_all_topics(given: list[tuple[int, int]]) -> None:
    shelf = Shelf(5_000)
    several = [Series(name, 1, None, 0.0) for name in "abc"]
    put: list[tuple[Series, int]] = []
    for index, size in given:
        series = several[index]
        series.head += 1
        put_loosely(shelf, series, row(series.head, 0.0, size))
        put.append((series, series.head))
        assert shelf.size <= 5_000 or sum(len(one.kept) for one in several) == 1
        kept = [(one, seq) for one, seq in put if seq in one.kept]
        assert kept == put[len(put) - len(kept) :]


def test_what_is_old_leaves_the_shelf_when_everybody_has_come() -> None:
    shelf, series = Shelf(1 << 20), Series("a", 1, None, 0.0)
    for seq, at in enumerate([1.0, 2.0, 3.0, 9.0], 1):
        put_loosely(shelf, series, row(seq, at, 10))
    shelf.older_than(5.0)
    assert sorted(series.kept) == [4]
    shelf.older_than(10.0)
    assert (sorted(series.kept), shelf.size) == ([], 0)


@pytest.mark.parametrize(
    ("since", "span", "base"),
    [
        ("first", 0.0, 2),
        ("last", 0.0, 9),
        (None, 0.0, 10),
        (None, 2.5, 8),  # it has been there for 2.5 s: what was published meanwhile is its own
        (7, 0.0, 6),
        (1, 0.0, 0),
        (99, 0.0, 10),
        (3.5, 0.0, 7),
        (3.5, 2.0, 5),  # seconds are counted from where it began
        ("last", 2.5, 7),
        (None, 50.0, 0),  # it was there before the topic was
        ("first", 50.0, 0),
        ("last", 50.0, 0),
        (1.0, 50.0, 0),
    ],
)
def test_a_subscription_begins_where_it_says(since: str | int | float | None, span: float, base: int) -> None:
    series = Series("a", 1, History(messages=8), 1.0)
    publish(series, *(float(at) for at in range(1, 11)))
    assert series.base(since, 11.0 - span, 11.0) == base  # type: ignore[arg-type]  # the table's


def test_a_long_ring_is_turned_in_time() -> None:
    series = Series("a", 1, History(messages=50_000), 0.0)
    began = time.perf_counter()
    publish(series, *[0.0] * 200_000)
    assert time.perf_counter() - began < 10
    assert series.oldest == 150_001
