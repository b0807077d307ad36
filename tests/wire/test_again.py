"""A batch that goes out again is the same batch, older, and with less time left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshmq.wire.again import aged
from meshmq.wire.batches import Batch, Terms, pack_batch, pack_onward, unpack_batch
from meshmq.wire.row import Row

ORIGIN, PUSHER = b"o" * 16, b"p" * 16
ROW = Row.of([b"x", b"yy"])


def same(batch: Batch) -> Batch:
    """Return it without its age, what is left, and how it was written."""
    return replace(batch, held=0.0, terms=Terms(), rest=memoryview(b""), payload=memoryview(bytes(batch.payload)))


@pytest.mark.parametrize("terms", [None, Terms(), Terms(lease=5.0), Terms(5.0, 3.0, 7)])
@pytest.mark.parametrize("onward", [False, True])
def test_it_is_older_and_has_less_time(terms: Terms | None, *, onward: bool) -> None:
    headers = {1: {"a": "b"}}
    frames = pack_batch("jobs", ORIGIN, 7, ROW, attempt=2, backlog=9, held=1.0, headers=headers, terms=terms)
    if onward:
        frames = pack_onward(unpack_batch(frames), 0, 2, pusher=PUSHER, backlog=9, held=1.0)
    before, after = unpack_batch(frames), unpack_batch(aged(frames, 2.5))
    assert same(after) == same(before)
    assert after.held == 3.5
    assert after.terms == (before.terms if before.terms.ttl is None else Terms(5.0, 0.5, 7))
    assert unpack_batch(aged(frames, 9.0)).terms.ttl == (None if before.terms.ttl is None else 0.0)
    assert sum(map(len, aged(frames, 2.5))) == sum(map(len, frames))


def test_what_stands_alone_does_so_again() -> None:
    frames = pack_batch("jobs", ORIGIN, 7, Row.of([b"x"]), attempt=2, backlog=0, held=0.0, buffers=[b"big"], alone=True)
    assert aged(frames, 0.0) == frames
    again = unpack_batch(aged(frames, 1.0))
    assert (again.alone, again.buffers, again.held) == (True, (b"big",), 1.0)
