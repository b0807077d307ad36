"""What is kept in rows is what would be kept one by one."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.feed.kept import Kept, Row


def row(first: int, *bodies: bytes, at: float = 0.0, headers: dict[str, str] | None = None) -> Row:
    return Row(first, list(bodies), (), headers, at, sum(map(len, bodies)))


def test_a_message_of_a_row_has_its_own_number_size_and_headers() -> None:
    several = row(7, b"a", b"bcd", at=2.0, headers={"of": "the first"})
    assert (several.item(7).headers, several.item(8).headers) == ({"of": "the first"}, None)
    assert [(one.seq, one.body, one.size, one.at) for one in map(several.item, (7, 8))] == [
        (7, b"a", 1, 2.0), (8, b"bcd", 3, 2.0),
    ]  # fmt: skip
    alone = Row(1, [b"body"], [b"buffer"], None, 0.0, 10)
    assert (alone.item(1).size, alone.item(1).buffers) == (10, [b"buffer"])


def test_headers_go_with_the_first() -> None:
    kept = Kept()
    kept.put(row(1, b"a", b"b", headers={"of": "the first"}))
    kept.drop(1)
    assert [(one.seq, one.headers) for one in kept.items()] == [(2, None)]


def test_a_row_is_removed_by_what_it_is_not_by_its_number() -> None:
    kept, first, other = Kept(), row(1, b"a", b"b"), row(3, b"c")
    kept.put(first)
    kept.put(other)
    kept.remove(row(3, b"c"))
    assert list(kept) == [1, 2, 3]
    kept.drop(1)
    kept.remove(first)
    kept.remove(first)
    assert (list(kept), kept.size) == ([3], 1)


def test_what_is_dropped_is_let_go_of() -> None:
    tracemalloc.start()
    try:
        kept = Kept()
        for number in range(100):
            kept.put(row(number + 1, b"%d" % number + bytes(100_000)))
        before, _ = tracemalloc.get_traced_memory()
        kept.drop(30)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert before - after == pytest.approx(3_000_000, rel=0.01)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), st.lists(st.binary(max_size=5), min_size=1, max_size=6)),
        st.tuples(st.sampled_from(["drop", "shrink", "age", "remove"]), st.integers(0, 12), st.just([])),
    ),
    max_size=40,
)


@given(steps)
def test_rows_keep_what_single_messages_would(given: list[tuple[str, int, list[bytes]]]) -> None:
    kept, rows = Kept(), list[Row]()
    model: dict[int, tuple[bytes, float]] = {}
    head, now = 0, 0.0
    for what, number, bodies in given:
        now += 1.0
        if what == "put":
            head += number + 1  # with a hole, maybe
            rows.append(row(head, *bodies, at=now))
            kept.put(rows[-1])
            model.update({head + index: (body, now) for index, body in enumerate(bodies)})
            head += len(bodies) - 1
        elif what == "drop":
            kept.drop(number)
            for seq in list(model)[:number]:
                del model[seq]
        elif what == "shrink":
            kept.shrink(number)
            while len(model) > 1 and sum(len(body) for body, _ in model.values()) > number:
                del model[next(iter(model))]
        elif what == "age":
            kept.age(now, float(number))
            model = {seq: one for seq, one in model.items() if now - one[1] <= number}
        elif rows:
            gone = rows[number % len(rows)]
            kept.remove(gone)
            model = {seq: one for seq, one in model.items() if one[1] != gone.at}
        assert list(kept) == list(model)
        assert (len(kept), kept.oldest) == (len(model), next(iter(model), 0))
        assert kept.size == sum(len(body) for body, _ in model.values())
        for first in (0, number, head):
            assert [one.body for one in kept.items(first)] == [one[0] for seq, one in model.items() if seq >= first]
        assert all((seq in kept) == (seq in model) for seq in range(head + 2))
        assert all((found := kept.get(seq)) is not None and found.seq == seq for seq in model)
