"""Runs: any numbers can be taken out of them, and it costs no more than it must."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.runs import Run, merged, sift
from meshmq.wire.row import Row


class Looked(deque[Run]):
    """Runs that count how many of them were looked at."""

    looks = 0

    def __iter__(self) -> Iterator[Run]:
        for run in super().__iter__():
            self.looks += 1
            yield run


def numbers(runs: list[Run]) -> list[int]:
    return [run.first + index for run in runs for index in range(len(run.bodies))]


def run(first: int, count: int = 1) -> Run:
    return Run(first, Row.of([b"%d" % number for number in range(first, first + count)]), 0.0)


ranges = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair))), max_size=6
)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=12), ranges)
def test_what_is_named_is_taken_and_the_rest_stays_in_order(
    shapes: list[tuple[int, int]], ranges: list[tuple[int, int]]
) -> None:
    place, runs = 0, deque[Run]()
    for gap, count in shapes:
        runs.append(run(place + gap, count))
        place += gap + count
    if len(shapes) % 2:
        runs.rotate(len(shapes) // 2)  # what was given back goes out after what is younger
    before = numbers(list(runs))
    wanted = {number for first, last in ranges for number in range(first, last + 1)}
    taken = sift(runs, merged(ranges))
    assert numbers(taken) == [number for number in before if number in wanted]
    assert numbers(list(runs)) == [number for number in before if number not in wanted]
    for part in (*taken, *runs):
        assert list(part.bodies) == [b"%d" % number for number in numbers([part])]
        assert part.bodies


def test_size_follows_what_a_run_takes_in_and_loses() -> None:
    one, other = run(1, 3), run(4, 9)
    assert (one.bodies.size, other.bodies.size) == (3, 12)
    assert one.join(other, 0.0)
    assert one.bodies.size == 15
    assert (one.cut(0, 9).bodies.size, one.cut(9, 12).bodies.size) == (9, 6)


def test_what_stands_in_front_is_found_without_looking_further() -> None:
    runs = Looked(run(number) for number in range(1_000))
    for number in (3, 1, 0, 2, 4):
        assert numbers(sift(runs, [(number, number)])) == [number]
    assert runs.looks <= 15


def test_many_numbers_are_found_in_one_go() -> None:
    runs = Looked(run(number) for number in range(1_000))
    assert len(sift(runs, merged([(number, number) for number in range(999, 0, -2)]))) == 500
    assert runs.looks <= 1_000
