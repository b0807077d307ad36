"""Who lends what is not there, or not for us."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from meshmq.links.shared.segments import SHARES, Segment
from meshmq.wire.loans import Lent, Memory, pack_found, pack_lent, pack_memory
from tests.links.dealers import HEAD, TOKEN, foreign_dealer
from tests.links.ends import opened, until

pytestmark = pytest.mark.skipif(not SHARES, reason="this system has no memfd")


ROOM = Segment.make(1 << 16, 2, TOKEN, b"a" * 16) if SHARES else None


def lent(**other: int) -> Lent:
    assert ROOM is not None
    return Lent(1, ROOM.descriptor, ROOM.inode, 0, 1, 100)._replace(**other)


@pytest.mark.parametrize(
    "frames",
    [
        [pack_lent([lent(slot=2)]), HEAD, b""],
        [pack_lent([lent(cell=64)]), HEAD, b""],
        [pack_lent([lent(cell=0)]), HEAD, b""],
        [pack_lent([lent(length=(1 << 16) + 1)]), HEAD, b""],
        [pack_lent([lent(length=2**64 - 1)]), HEAD, b""],
        [pack_lent([lent(inode=1)]), HEAD, b""],
        [pack_lent([lent(descriptor=2**32 - 1)]), HEAD, b""],
        [pack_lent([lent(place=7)]), HEAD, b""],
        [pack_lent([lent()]), HEAD, b"it is there"],
        [pack_lent([lent(), lent(place=2, slot=2)]), HEAD, b"", b""],
        [b"MQ\2\7" + bytes(16)],
        [b"MQ\2\7"],
        [b"MQ\2\5"],
    ],
    ids=[
        "slot", "cell", "owner", "length", "endless", "inode", "descriptor", "place", "there", "one of two", "none",
        "bare", "no memory",
    ],
)  # fmt: skip
def test_who_lends_what_is_not_there_is_thrown_out(stack: ExitStack, frames: list[bytes]) -> None:
    end = opened(stack)
    dealer = foreign_dealer(stack, end)
    assert ROOM is not None
    dealer.send(pack_memory(Memory(os.getpid(), ROOM.descriptor, ROOM.inode, TOKEN)))
    end_found: list[bytes] = []
    until(lambda: dealer.poll(0), end)
    end_found = dealer.recv_multipart()
    assert end_found == [pack_found(b"a" * 16)]
    dealer.send_multipart([pack_lent([lent()]), HEAD, b""])
    until(lambda: len(end.log.received) == 2, end)
    assert [len(frame) for frame in end.log.received[1][1]] == [20, 100]
    dealer.send_multipart(frames)
    until(lambda: end.log.ends, end)
    assert len(end.log.received) == 2
    assert end.links.counts["unlent"] == 1  # type: ignore[attr-defined]  # of real links


def test_who_lends_before_anything_was_found_of_it_is_thrown_out(stack: ExitStack) -> None:
    end = opened(stack)
    dealer = foreign_dealer(stack, end)
    dealer.send_multipart([pack_lent([lent()]), HEAD, b""])
    until(lambda: end.log.ends, end)
    assert len(end.log.received) == 1


def test_a_frame_that_is_larger_than_one_may_be_is_not_borrowed(stack: ExitStack) -> None:
    end = opened(stack, message_bytes=50)
    large = Segment.make(1 << 18, 1, TOKEN, b"a" * 16)
    dealer = foreign_dealer(stack, end)
    dealer.send(pack_memory(Memory(os.getpid(), large.descriptor, large.inode, TOKEN)))
    dealer.send_multipart([pack_lent([Lent(1, large.descriptor, large.inode, 0, 1, 1 << 18)]), HEAD, b""])
    until(lambda: end.log.ends, end)


def test_a_head_that_is_lent_is_copied(stack: ExitStack) -> None:
    end = opened(stack)
    dealer = foreign_dealer(stack, end)
    assert ROOM is not None
    dealer.send(pack_memory(Memory(os.getpid(), ROOM.descriptor, ROOM.inode, TOKEN)))
    dealer.send_multipart([pack_lent([lent(place=0)]), b""])
    until(lambda: len(end.log.received) == 2, end)
    assert end.log.received[1][1] == [bytes(100)]
    assert type(end.log.received[1][1][0]) is bytes
