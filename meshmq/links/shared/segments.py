"""Segments: memory of one process that others of the same user and host read, and how they tell that they are done.

A segment is a file that has no name (memfd), so nothing is left of it when the last process that uses it has gone,
however it went. It is cut into slots of equal size. Before them stands its description, and for each slot a row of
cells: 1 in a cell means that whoever it belongs to still uses what lies in the slot. The first belongs to the owner,
each of the others to one connection. A slot with no 1 in its row is free::

    description (64 bytes) · rows of CELLS bytes · up to a whole page · slots

So a reader gives back by writing one byte, which it can do wherever it is when the last array on the memory goes: in
any thread, at any moment, without a lock or a message. What a reader that was killed has not given back is never used
again (``Pool.leave``); nor is what anybody had who forked, the owner too, for the child reads the same memory.

Others find a segment as descriptor of its process in ``/proc``, which the system opens for the same user (and root)
only. It cannot shrink (sealed): nobody who reads is ever hit by SIGBUS.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from meshmq.links.forks import tell_in_child
from meshmq.wire.loans import TOKEN_BYTES, Memory

try:
    import fcntl
except ImportError:  # Windows, which has no memfd either
    fcntl = None  # type: ignore[assignment]  # the fallback of an import

#: Where memory can be shared like this: on Linux.
SHARES: Final = hasattr(os, "memfd_create") and hasattr(fcntl, "F_SEAL_SHRINK")
#: Users of one slot at a time: its owner and this many connections but one.
CELLS: Final = 64
OWNER: Final = 0
_NAME: Final = "meshmq"
_DESCRIPTION: Final = struct.Struct(f"!8s{TOKEN_BYTES}s{TOKEN_BYTES}sQQ")
_MAGIC: Final = b"MeshMQ\0\1"
_USED: Final = b"\1"
_REMOVE: Final = getattr(mmap, "MADV_REMOVE", 0)


class _Description(NamedTuple):
    """What a segment says of itself."""

    token: bytes
    answer: bytes
    capacity: int
    slots: int

    @classmethod
    def read(cls, text: bytes, size: int) -> _Description:
        """Read that of a segment of so many bytes in all.

        Raises:
            ValueError: it is none.
        """
        magic, *fields = _DESCRIPTION.unpack(text)
        found = cls(*fields)
        if magic != _MAGIC or size != found.start(found.slots):
            raise ValueError("a segment that describes itself wrongly")
        return found

    def check(self, token: bytes) -> None:
        """Let only that of the process go on which is meant.

        Raises:
            ValueError: it is another's.
        """
        if self.token != token:
            raise ValueError("a segment of somebody else")

    def start(self, slot: int) -> int:
        """Return where a slot begins; behind the last the segment ends."""
        return -(-_row(self.slots) // mmap.PAGESIZE) * mmap.PAGESIZE + slot * self.capacity

    def place(self, slot: int, cell: int, length: int) -> int:
        """Return where what somebody uses of a slot begins.

        Raises:
            ValueError: there is no such slot or cell, or it is smaller.
        """
        if slot >= self.slots or cell >= CELLS or length > self.capacity:
            raise ValueError("a slot that is none")
        return self.start(slot)


class Room:
    """What somebody uses of one slot, as an exporter of its memory; gives it back when the last view has gone.

    Only an object of C's can tell that: a view of a view holds what exports the memory, and not the first view.
    """

    segment: Segment
    slot: int
    cell: int
    length: int
    forks: int

    def __del__(self) -> None:
        if self.forks == _forks:
            self.segment.give_back(self.slot, self.cell)
        else:  # a child may still read what lies there
            self.segment.inherited = True


class Segment:
    """Slots of one size in memory that several processes share."""

    def __init__(self, memory: mmap.mmap, descriptor: int, inode: int) -> None:
        self._description = _Description.read(memory[: _DESCRIPTION.size], len(memory))
        self.answer, self.capacity, self.slots = self._description[1:]
        self._memory: mmap.mmap | None = memory
        #: The owner's, behind which others find it; -1 where it is somebody else's.
        self.descriptor = descriptor
        self.inode = inode
        #: Whether a slot was in use at a fork, and is not given back for the sake of the child.
        self.inherited = False
        tell_in_child(self._forked)

    def __repr__(self) -> str:
        return f"<Segment of {self.slots} x {self.capacity:,} bytes>"

    def __len__(self) -> int:
        """Return how many bytes its slots hold."""
        return self.slots * self.capacity

    def __del__(self) -> None:
        if getattr(self, "descriptor", -1) >= 0:
            for slot in range(self.slots):  # others may map it for long yet
                if self.is_free(slot):
                    self._empty(slot, 1)
            descriptor, self.descriptor = self.descriptor, -1  # at once: a fork while it is closed closes it again
            os.close(descriptor)

    @classmethod
    def make(cls, capacity: int, slots: int, token: bytes, answer: bytes) -> Segment:
        """Make one.

        Raises:
            OSError: there is no descriptor or no address space left.
        """
        descriptor = os.memfd_create(_NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            size = _Description(token, answer, capacity, slots).start(slots)
            os.ftruncate(descriptor, size)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
            memory = mmap.mmap(descriptor, size)
            _DESCRIPTION.pack_into(memory, 0, _MAGIC, token, answer, capacity, slots)
            return cls(memory, descriptor, os.fstat(descriptor).st_ino)
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def find(cls, at: Memory) -> Segment:
        """Find one of another process.

        Raises:
            OSError: there is none of that number, or it is not for us to read, or no descriptor is left.
            ValueError: what is there is no segment, or not that one.
        """
        with _opened(at) as (descriptor, size):
            memory = mmap.mmap(descriptor, size)
        segment = cls(memory, -1, at.inode)
        segment._description.check(at.token)
        return segment

    def room(self, slot: int, cell: int, length: int) -> memoryview:
        """Return the first ``length`` bytes of a slot; when nothing refers to them any more they are given back.

        Raises:
            ValueError: there is no such slot or cell, or it is smaller.
        """
        if self._memory is None:
            raise ValueError("a segment of a parent process")
        room = _rooms_of(self.capacity).from_buffer(self._memory, self._description.place(slot, cell, length))
        room.segment, room.slot, room.cell, room.length, room.forks = self, slot, cell, length, _forks
        return memoryview(room).cast("B")[:length]

    def is_free(self, slot: int) -> bool:
        """Whether nobody uses a slot."""
        row = _row(slot)
        return self._memory is not None and self._memory.find(_USED, row, row + CELLS) < 0

    def use(self, slot: int, cell: int) -> bool:
        """Note that the owner of a cell uses a slot; ``False`` where it does already."""
        if self._memory is None or self._memory[_row(slot) + cell]:
            return False
        self._memory[_row(slot) + cell] = 1
        return True

    def is_used_by(self, cell: int) -> bool:
        """Whether the owner of a cell uses any slot."""
        return self._memory is not None and 1 in self._memory[_row(0) + cell : _row(self.slots) : CELLS]

    def give_back(self, slot: int, cell: int) -> None:
        """Note that the owner of a cell uses a slot no more; any thread may, at any moment."""
        memory = self._memory
        if memory is not None:
            memory[_row(slot) + cell] = 0

    def discard(self) -> bool:
        """Give the memory of the slots back to the system, also where others have it; ``False`` while one is used."""
        if self._memory is None or self._memory.find(_USED, _row(0), _row(self.slots)) >= 0:
            return False
        self._empty(0, self.slots)
        return True

    def _empty(self, slot: int, count: int) -> None:
        if self._memory is not None and not self.capacity % mmap.PAGESIZE:  # nothing of the next slot
            with suppress(OSError):  # where memory is locked it cannot be given back
                self._memory.madvise(_REMOVE, self._description.start(slot), count * self.capacity)

    def _forked(self) -> None:
        # A child has no part in it: what is in use is known of its parent.
        self._memory = None
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def fetch(at: Memory, slot: int, cell: int, length: int) -> bytes:
    """Return a copy of what a slot holds, and give it back: for who has no descriptor or address space to map it.

    Raises:
        OSError: it is not for us to read, or there is not even one descriptor for a moment.
        ValueError: what is there is no such segment or slot.
    """
    with _opened(at) as (descriptor, size):
        description = _Description.read(os.pread(descriptor, _DESCRIPTION.size, 0), size)
        description.check(at.token)
        data = os.pread(descriptor, length, description.place(slot, cell, length))
        if len(data) < length:
            raise ValueError("a slot that cannot be read")
        os.pwrite(descriptor, b"\0", _row(slot) + cell)
    return data


@contextmanager
def _opened(at: Memory) -> Iterator[tuple[int, int]]:
    path = Path(f"/proc/{at.process}/fd/{at.descriptor}")
    if not str(path.readlink()).startswith(f"/memfd:{_NAME} "):  # opened is nothing else: that may have effects
        raise ValueError("a descriptor of something else")
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        stat = os.fstat(descriptor)
        if stat.st_ino != at.inode or not fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
            raise ValueError("another file, or one that can shrink")
        if stat.st_size < _DESCRIPTION.size:
            raise ValueError("a file that is too short")
        yield descriptor, stat.st_size
    finally:
        os.close(descriptor)


def _row(slot: int) -> int:
    return CELLS * (slot + 1)


#: Grows with each fork of this process, before and after.
_forks = 0


def _forked() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_forked, after_in_parent=_forked)


@lru_cache(maxsize=32)  # ours are of a dozen sizes, those of a stranger of any
def _rooms_of(capacity: int) -> Any:
    import ctypes  # here, because who sends nothing large need not wait for it

    return type("Room", (Room, ctypes.c_ubyte * capacity), {})
