"""Rows: what is cut out of one is what was put in, and keeps no more in memory than it has to."""

from __future__ import annotations

from sys import getsizeof

from hypothesis import given
from hypothesis import strategies as st

from meshmq.wire.row import Row

bodies = st.lists(st.binary(max_size=9), max_size=9)


@given(bodies, bodies, st.data())
def test_a_row_is_its_bodies_however_it_came_about(some: list[bytes], more: list[bytes], data: st.DataObject) -> None:
    row, every = Row.of(some), some + more
    row.extend(Row.of(more))
    assert (list(row), len(row), row.size) == (every, len(every), len(b"".join(every)))
    start = data.draw(st.integers(0, len(every)))
    end = data.draw(st.integers(start, len(every)))
    part = row.cut(start, end)
    again = data.draw(st.integers(0, end - start))
    assert (list(part), part.size) == (every[start:end], len(b"".join(every[start:end])))
    assert list(part.cut(again, len(part))) == every[start + again : end]
    assert b"".join(part.parts) == b"".join(Row.of(every[start:end]).parts)


@given(bodies.filter(bool), st.integers(0, 90))
def test_as_many_fit_as_have_so_many_bytes_and_one_at_least(some: list[bytes], size: int) -> None:
    count = Row.of(some).fitting(size)
    assert count == 1 or len(b"".join(some[:count])) <= size
    assert count == len(some) or len(b"".join(some[: count + 1])) > size


def test_one_of_many_does_not_keep_all_in_memory() -> None:
    row = Row.of([bytes(1_000)] * 100)
    kept = [row.cut(index, index + 1) for index in range(100)]
    row = row.cut(30, 100)
    *_, held = row.parts
    assert isinstance(held, memoryview)  # most of them: nothing is copied
    for _ in range(60):
        row = row.cut(1, len(row))
    *_, held = row.parts
    assert (len(row), getsizeof(held.obj if isinstance(held, memoryview) else held) < 25_000) == (10, True)
    assert sum(getsizeof(part) for one in kept for part in one.parts) < 120_000
