"""Memory of one process that others read, and what they may say to be some."""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from meshmq.links.shared import segments
from meshmq.links.shared.segments import CELLS, OWNER, SHARES, Segment, fetch
from meshmq.wire.loans import Memory
from tests.drivers.fakes import run_child

pytestmark = pytest.mark.skipif(not SHARES, reason="this system has no memfd")

TOKEN, ANSWER = b"t" * 16, b"a" * 16
CAPACITY = 1 << 16


def made(capacity: int = CAPACITY, slots: int = 3) -> Segment:
    return Segment.make(capacity, slots, TOKEN, ANSWER)


def place_of(segment: Segment, **other: int | bytes) -> Memory:
    return Memory(os.getpid(), segment.descriptor, segment.inode, TOKEN)._replace(**other)  # type: ignore[arg-type]  # of its fields


def foreign(size: int = 8192, name: str = "meshmq", seal: bool = True) -> tuple[int, Memory]:
    """Return a descriptor that is somebody else's, and where it is."""
    descriptor = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    if seal:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return descriptor, Memory(os.getpid(), descriptor, os.fstat(descriptor).st_ino, TOKEN)


def test_what_is_written_here_is_read_there() -> None:
    here = made()
    there = Segment.find(place_of(here))
    assert (there.answer, there.capacity, there.slots, len(there)) == (ANSWER, CAPACITY, 3, 3 * CAPACITY)
    for slot in range(3):
        here.room(slot, OWNER, CAPACITY)[:] = bytes([slot + 1]) * CAPACITY
    assert [bytes(there.room(slot, 1, 5)) for slot in range(3)] == [b"\1" * 5, b"\2" * 5, b"\3" * 5]


def test_a_slot_is_free_when_the_last_view_of_it_has_gone() -> None:
    here = made()
    there = Segment.find(place_of(here))
    assert here.use(1, OWNER)
    assert here.use(1, 7)
    mine, theirs = here.room(1, OWNER, 100), there.room(1, 7, 100).toreadonly()
    array = np.ndarray((10,), "u1", buffer=theirs[5:])
    part = array[3:]
    del mine, theirs, array
    assert not here.is_free(1)
    assert here.is_used_by(7)
    assert not here.is_used_by(6)
    assert here.is_free(0)
    del part
    assert here.is_free(1)
    assert not here.is_used_by(7)


def test_nobody_uses_a_slot_twice() -> None:
    here = made()
    assert here.use(2, 9)
    assert not here.use(2, 9)
    here.give_back(2, 9)
    assert here.use(2, 9)


def test_memory_stays_as_long_as_it_is_looked_at() -> None:
    here = made()
    here.room(0, OWNER, 5)[:] = b"hello"
    there = Segment.find(place_of(here))
    assert here.use(0, 1)
    view = there.room(0, 1, 5)
    del here, there
    assert bytes(view) == b"hello"


def test_descriptors_go_with_their_segment() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        segment = made()
        there = Segment.find(place_of(segment))
        del segment, there
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_is_discarded_takes_no_memory_and_is_there_again() -> None:
    here = made(1 << 20, 8)
    room = here.room(5, OWNER, 1 << 20)
    room[:] = b"x" * (1 << 20)
    here.use(5, OWNER)
    blocks = os.fstat(here.descriptor).st_blocks
    assert not here.discard()
    del room
    assert here.discard()
    assert os.fstat(here.descriptor).st_blocks < blocks - 2000  # of 512 bytes
    assert bytes(here.room(5, 1, 3)) == bytes(3)


@pytest.mark.parametrize(
    ("slot", "cell", "length"),
    [(3, 1, 1), (2**32 - 1, 1, 1), (0, CELLS, 1), (0, 1, CAPACITY + 1), (0, 1, 2**64 - 1)],
    ids=["no slot", "far", "no cell", "too long", "endless"],
)
def test_only_slots_are_read(slot: int, cell: int, length: int) -> None:
    here = made()
    with pytest.raises(ValueError, match="a slot that is none"):
        Segment.find(place_of(here)).room(slot, cell, length)


def test_who_asks_for_another_segment_finds_none() -> None:
    here = made()
    with pytest.raises(ValueError, match="another file"):
        Segment.find(place_of(here, inode=here.inode + 1))
    with pytest.raises(ValueError, match="somebody else"):
        Segment.find(place_of(here, token=b"x" * 16))
    for nowhere in (place_of(here, descriptor=2**32 - 1), place_of(here, process=2**32 - 1), place_of(here, process=0)):
        with pytest.raises(OSError, match="No such file"):
            Segment.find(nowhere)


def test_what_is_no_segment_is_not_even_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "meshmq"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    file = tempfile.TemporaryFile()  # noqa: SIM115  closed below
    other, _ = foreign(name="other")
    try:
        for descriptor in (reader, file.fileno(), other, 0):
            with pytest.raises(ValueError, match="something else"):
                Segment.find(Memory(os.getpid(), descriptor, os.fstat(descriptor).st_ino, TOKEN))
    finally:
        os.close(reader)
        os.close(other)
        file.close()


@pytest.mark.parametrize(
    ("size", "seal", "text", "why"),
    [
        (8192, False, b"", "can shrink"),
        (0, True, b"", "too short"),
        (55, True, b"", "too short"),
        (8192, True, b"", "wrongly"),
        (8192, True, b"MeshMQ\0\1" + TOKEN + ANSWER + (2**64 - 1).to_bytes(8, "big") * 2, "wrongly"),
        (8192, True, b"MeshMQ\0\1" + TOKEN + ANSWER + (4096).to_bytes(8, "big") + (2).to_bytes(8, "big"), "wrongly"),
        (8192, True, b"MeshMQ\0\2" + TOKEN + ANSWER + (4096).to_bytes(8, "big") + (1).to_bytes(8, "big"), "wrongly"),
    ],
    ids=["unsealed", "empty", "short", "zeros", "huge", "fewer", "another version"],
)
def test_a_file_that_only_looks_like_one_is_refused(size: int, seal: bool, text: bytes, why: str) -> None:
    descriptor, place = foreign(size, seal=seal)
    try:
        if size > len(text):
            os.pwrite(descriptor, text, 0)
        with pytest.raises(ValueError, match=why):
            Segment.find(place)
    finally:
        os.close(descriptor)


def test_what_cannot_be_mapped_is_fetched_and_given_back() -> None:
    here = made()
    here.use(1, OWNER)
    here.use(1, 5)
    here.room(1, OWNER, CAPACITY)[:5] = b"hello"
    assert fetch(place_of(here), 1, 5, 5) == b"hello"
    assert here.is_free(1)
    for slot, cell, length in ((3, 5, 5), (1, CELLS, 5), (1, 5, CAPACITY + 1)):
        with pytest.raises(ValueError, match="a slot that is none"):
            fetch(place_of(here), slot, cell, length)
    with pytest.raises(ValueError, match="somebody else"):
        fetch(place_of(here, token=b"x" * 16), 1, 5, 5)


def test_a_segment_cannot_shrink() -> None:
    here = made()
    with pytest.raises(PermissionError):
        os.ftruncate(here.descriptor, 4096)


def test_what_somebody_has_who_forks_is_not_given_back() -> None:
    here = made()
    there = Segment.find(place_of(here))
    here.use(0, 1)
    here.use(1, 1)
    here.use(2, OWNER)
    room, mine = there.room(0, 1, 1), here.room(2, OWNER, 1)
    child = os.fork()
    if not child:
        del room, mine
        os._exit(0 if here.descriptor == -1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    later = there.room(1, 1, 1)
    assert not here.is_free(2), "the child has given back what its parent uses"
    del room, mine, later
    assert [here.is_free(slot) for slot in range(3)] == [False, True, False]
    assert (here.inherited, there.inherited) == (True, True)


def resident(segment: Segment) -> int:
    """Return how many bytes of memory a segment takes, whoever has it."""
    return os.fstat(segment.descriptor).st_blocks * 512


def test_nothing_is_left_of_a_segment_but_what_others_use() -> None:
    here = made(slots=20)
    watched = Segment.find(place_of(here))
    watched.descriptor = os.dup(here.descriptor)
    for slot in range(20):
        here.use(slot, OWNER)
        here.room(slot, OWNER, CAPACITY)[:] = b"x" * CAPACITY
        here.give_back(slot, OWNER)
    for slot in (0, 7, 8):
        here.use(slot, 3)
    assert resident(watched) > 20 * CAPACITY
    del here
    assert resident(watched) < 4 * CAPACITY
    assert [bytes(watched.room(slot, 3, CAPACITY))[-1:] for slot in (0, 7, 8)] == [b"x"] * 3


def test_memory_that_cannot_be_given_back_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    here = made()
    monkeypatch.setattr(segments, "_REMOVE", -1)  # as where all memory of the process is locked
    assert here.discard()


def test_threads_give_back_while_others_look() -> None:
    here = made(64, 200)
    there = Segment.find(place_of(here))
    for _ in range(20):
        for slot in range(200):
            assert here.use(slot, 1)
        rooms = [there.room(slot, 1, 1) for slot in range(200)]
        threads = [threading.Thread(target=lambda part: part.clear(), args=(rooms[n::4],)) for n in range(4)]
        del rooms[:]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        del threads, thread
        assert all(here.is_free(slot) for slot in range(200))


AT_EXIT = """
import os
from meshmq.links.shared.segments import OWNER, Segment
from meshmq.wire.loans import Memory
here = Segment.make(65536, 2, b"t" * 16, b"a" * 16)
there = Segment.find(Memory(os.getpid(), here.descriptor, here.inode, b"t" * 16))
kept = [there.room(0, 1, 10), here.room(1, OWNER, 10)]
kept.append(kept)
"""


def test_an_exit_with_views_left_says_nothing() -> None:
    assert run_child(AT_EXIT).stderr == ""
