"""What a process lends of: who may borrow, what is used again and what never, how much there is."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import zmq

from meshmq.links.shared import pool as pools
from meshmq.links.shared.pool import LARGEST, MOST_BYTES, SEGMENT_BYTES, SMALLEST, Pool
from meshmq.links.shared.segments import CELLS, SHARES, Room, Segment
from meshmq.wire.loans import Lent, Memory

pytestmark = pytest.mark.skipif(not SHARES, reason="this system has no memfd")

DATA = bytes(range(256)) * 1000


class Reader:
    """A peer that borrows."""

    def __init__(self, pool: Pool) -> None:
        offer = pool.offer()
        assert offer is not None
        self.memory: Memory = offer
        self.cell = pool.enter(Segment.find(offer).answer)
        self.pool = pool

    def borrow(self, frame: bytes | memoryview) -> tuple[Lent, memoryview]:
        assert self.cell is not None
        lent = self.pool.lend(frame, 1, self.cell)
        assert lent is not None
        place = self.memory._replace(descriptor=lent.descriptor, inode=lent.inode)
        return lent, Segment.find(place).room(lent.slot, lent.cell, lent.length)


def test_nothing_is_made_before_somebody_borrows() -> None:
    pool = Pool()
    copy = pool.copied(DATA)
    assert isinstance(copy, memoryview)
    assert isinstance(copy.obj, zmq.Frame)
    assert copy == DATA
    assert "0 segments, 0 bytes, 0 borrowers" in repr(pool)


def test_a_copy_is_read_only_and_read_by_whom_it_is_lent() -> None:
    pool = Pool()
    reader = Reader(pool)
    source = bytearray(DATA)
    copy = pool.copied(memoryview(source))
    source[:] = bytes(len(source))
    assert isinstance(copy, memoryview)
    assert copy.readonly
    assert isinstance(copy.obj, Room)
    lent, view = reader.borrow(copy)
    assert bytes(view) == DATA
    assert (lent.place, lent.length) == (1, len(DATA))


def test_memory_that_the_sender_has_when_it_forks_is_not_used_again() -> None:
    pool = Pool()
    reader = Reader(pool)
    kept = pool.copied(DATA)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        os.read(reading, 1)  # until the parent is done
        os._exit(0 if bytes(kept) == DATA else 1)
    os.close(reading)
    first = reader.borrow(kept)[0]
    del kept
    later = {reader.borrow(pool.copied(bytes(len(DATA))))[0].inode for _ in range(2 * SEGMENT_BYTES // len(DATA))}
    os.close(writing)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(later - {first.inode}) == 1
    assert "1 segments" in repr(pool)


def test_memory_is_used_again_only_when_all_have_given_it_back() -> None:
    pool = Pool()
    one, two = Reader(pool), Reader(pool)
    for holder in ("sender", "one", "two"):
        copy = pool.copied(DATA)
        slot = one.borrow(copy)[0].slot
        views = {"sender": copy, "one": one.borrow(pool.copied(DATA))[1], "two": two.borrow(copy)[1]}
        del copy
        kept = views.pop(holder)
        views.clear()
        others = [pool.copied(bytes(len(DATA))) for _ in range(40)]
        assert bytes(kept) == DATA, f"what {holder} uses was written"
        del others, kept
        assert isinstance(slot, int)
    first = pool.copied(DATA)
    del first
    kept_slots = {one.borrow(pool.copied(DATA))[0].slot for _ in range(200)}
    assert len(kept_slots) < 10, "what is given back is used again"


def test_what_was_borrowed_by_who_is_gone_is_never_used_again() -> None:
    pool = Pool()
    staying, going = Reader(pool), Reader(pool)
    copy = pool.copied(DATA)
    lent, view = going.borrow(copy)
    del copy
    assert going.cell is not None
    pool.leave(going.cell)
    again = [pool.copied(bytes(len(DATA))) for _ in range(50)]
    assert lent.inode not in {staying.borrow(copy)[0].inode for copy in again}
    assert bytes(view) == DATA
    del view, again


def test_the_last_who_leaves_takes_all_with_it() -> None:
    pool = Pool()
    reader = Reader(pool)
    held = [pool.copied(DATA) for _ in range(3)]
    assert "1 segments" in repr(pool)
    assert reader.cell is not None
    pool.leave(reader.cell)
    assert "0 segments" in repr(pool)
    assert not pool.lends
    assert [bytes(copy) for copy in held] == [DATA] * 3
    assert pool.lend(held[0], 0, 1) is None


def test_a_wrong_answer_borrows_nothing_and_cells_are_counted() -> None:
    pool = Pool()
    assert pool.offer() is not None
    for answer in (b"", b"x" * 16, pool._token, b"x" * 1000):
        assert pool.enter(answer) is None
    readers = [Reader(pool) for _ in range(CELLS)]
    assert sum(reader.cell is None for reader in readers) == 1
    assert len({reader.cell for reader in readers}) == CELLS
    assert 0 not in {reader.cell for reader in readers}
    first = readers[0].cell
    assert first is not None
    pool.leave(first)
    assert Reader(pool).cell == first


def test_pieces_and_what_lies_elsewhere_and_what_is_out_already_are_not_lent() -> None:
    pool = Pool()
    reader = Reader(pool)
    assert reader.cell is not None
    copy = pool.copied(DATA)
    assert isinstance(copy, memoryview)
    for frame in (b"bytes", memoryview(DATA), copy[1:], copy[:-1]):
        assert pool.lend(frame, 1, reader.cell) is None
    lent, view = reader.borrow(copy)
    assert pool.lend(copy, 1, reader.cell) is None
    del view
    assert pool.lend(copy, 1, reader.cell) == lent


def test_a_pool_is_bounded_and_then_copies_as_ever() -> None:
    pool = Pool()
    reader = Reader(pool)
    held, inside = [], 0
    large = bytes(SEGMENT_BYTES)
    for _ in range(MOST_BYTES // SEGMENT_BYTES + 3):
        held.append(pool.copied(large))
        view = held[-1]
        assert isinstance(view, memoryview)
        inside += isinstance(view.obj, Room)
    assert inside == MOST_BYTES // SEGMENT_BYTES
    del held, view
    gc.collect()
    for _ in range(10):
        reader.borrow(pool.copied(large))
    assert isinstance(pool.copied(bytes(LARGEST + 1)).obj, zmq.Frame)  # type: ignore[union-attr]  # a view of one


@pytest.mark.parametrize("size", [1, SMALLEST - 1, SMALLEST, SMALLEST + 1, 1_000_000, SEGMENT_BYTES, SEGMENT_BYTES + 1])
def test_every_size_finds_room(size: int) -> None:
    pool = Pool()
    reader = Reader(pool)
    data = (DATA * (size // len(DATA) + 1))[:size]
    copies = [pool.copied(data) for _ in range(3)]
    assert [bytes(reader.borrow(copy)[1]) == data for copy in copies] == [True] * 3


def test_what_lies_idle_goes_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    Reader(pool)
    copy = pool.copied(DATA)
    assert pool.rest()
    monkeypatch.setattr(pools, "REST", 0.0)
    assert pool.rest(), "it is in use"
    del copy
    assert not pool.rest()
    assert "0 segments" in repr(pool)
    assert bytes(pool.copied(DATA)) == DATA


def test_without_descriptors_all_goes_on_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Segment:
        raise OSError(24, "Too many open files")

    pool = Pool()
    Reader(pool)
    monkeypatch.setattr(Segment, "make", fail)
    assert isinstance(pool.copied(DATA).obj, zmq.Frame)  # type: ignore[union-attr]  # a view of one
    assert Pool().offer() is None


@contextmanager
def from_inside(work: Callable[[], object]) -> Iterator[None]:
    """Have ``work`` done once while this thread is inside a pool, as by a signal handler or a ``__del__``."""
    left = [work]
    is_free = Segment.is_free

    def interrupted(segment: Segment, slot: int) -> bool:
        if left:
            left.pop()()
        return is_free(segment, slot)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Segment, "is_free", interrupted)
        yield
    assert not left


def test_who_sends_from_inside_another_sending_gets_no_slot() -> None:
    pool = Pool()
    reader = Reader(pool)
    cell, kept = reader.cell, pool.copied(DATA)
    assert cell is not None
    found: list[object] = []

    def work() -> None:
        found.extend([pool.lend(kept, 1, cell), pool.rest(), pool.offer(), pool.enter(b"")])
        assert isinstance(memoryview(pool.copied(DATA)).obj, zmq.Frame)

    with from_inside(work):
        assert isinstance(memoryview(pool.copied(DATA)).obj, Room)
    assert found == [None, True, None, None]


def test_who_leaves_from_inside_a_sending_has_left_when_the_next_begins() -> None:
    pool = Pool()
    one, two = Reader(pool), Reader(pool)
    cell = one.cell
    assert cell is not None
    kept = one.borrow(pool.copied(DATA))
    with from_inside(lambda: pool.leave(cell)):
        pool.copied(DATA)
    other, _ = two.borrow(pool.copied(DATA))
    assert other.inode != kept[0].inode
    assert "1 borrowers" in repr(pool)
