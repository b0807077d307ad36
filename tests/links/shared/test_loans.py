"""Large frames between two ends of one host: lent where both can, and sent wherever something is amiss."""

from __future__ import annotations

import errno
from contextlib import ExitStack

import pytest

from meshmq.links.security import derive
from meshmq.links.shared.pool import process_pool
from meshmq.links.shared.segments import SHARES, Room, Segment
from meshmq.wire.loans import Lent, Memory, pack_found, pack_lent, pack_memory
from tests.links.dealers import HEAD, TOKEN, foreign_dealer
from tests.links.ends import opened, quiet, until

pytestmark = pytest.mark.skipif(not SHARES, reason="this system has no memfd")

DATA = bytes(range(256)) * 4000


class Pair:
    """Two ends with one direct connection, and what has come at each."""

    def __init__(self, stack: ExitStack, **more: object) -> None:
        self.here, self.there = opened(stack, **more), opened(stack, **more)
        self.out = self.here.dial(self.there.links.bound.direct)
        self.here.links.send(self.out, [HEAD])
        self.step(lambda: self.there.log.received)
        self.back = self.there.log.received[0][0]

    def step(self, condition: object) -> None:
        until(condition, self.here, self.there)  # type: ignore[arg-type]  # a function

    def carry(self, frames: list[bytes | memoryview], *, back: bool = False) -> list[bytes]:
        """Send one message and return what has arrived of it."""
        source, target = (self.there, self.here) if back else (self.here, self.there)
        before = len(target.log.received)
        assert source.links.send(self.back if back else self.out, frames)  # type: ignore[arg-type]  # views are bytes
        self.step(lambda: len(target.log.received) > before)
        return target.log.received.pop()[1]

    def lends(self, *, back: bool = False) -> bool:
        """Whether a large frame that is sent now is lent."""
        frame = self.carry([HEAD, process_pool().copied(DATA)], back=back)[1]
        assert bytes(frame) == DATA
        return is_room(frame)


def is_room(frame: bytes) -> bool:
    return isinstance(frame, memoryview) and isinstance(frame.obj, Room)


@pytest.mark.parametrize("keys", [None, derive("a secret of the tests of loans")], ids=["no secret", "secret"])
@pytest.mark.parametrize("back", [False, True], ids=["out", "back"])
def test_large_frames_are_lent_from_the_second_on(stack: ExitStack, keys: object, *, back: bool) -> None:
    pair = Pair(stack, keys=keys)
    assert not pair.lends(back=back)
    pair.step(lambda: process_pool().lends)
    assert [pair.lends(back=back) for _ in range(40)] == [True] * 40
    assert not pair.lends(back=not back), "the other direction asks for itself"
    # All is read before the end: who guards the door is stepped by the test alone, and libzmq parts with him last.
    pair.step(lambda: "2 borrowers" in repr(process_pool()))
    log = pair.here.log if back else pair.there.log
    assert not log.ends


def test_large_and_small_frames_keep_their_places(stack: ExitStack) -> None:
    pair = Pair(stack)
    assert not pair.lends()
    pair.step(lambda: process_pool().lends)
    frames = [HEAD, b"small", process_pool().copied(DATA), b"", process_pool().copied(DATA[5:]), DATA]
    found = pair.carry(frames)
    assert [bytes(frame) for frame in found] == [bytes(frame) for frame in frames]
    assert [is_room(frame) for frame in found] == [False, False, True, False, True, False]


def test_the_head_arrives_as_it_would_without_loans(stack: ExitStack) -> None:
    pair = Pair(stack)
    assert not pair.lends()
    pair.step(lambda: process_pool().lends)
    assert type(pair.carry([HEAD, process_pool().copied(DATA)])[0]) is bytes


def test_one_frame_that_is_there_twice_arrives_twice(stack: ExitStack) -> None:
    pair = Pair(stack)
    assert not pair.lends()
    pair.step(lambda: process_pool().lends)
    copy = process_pool().copied(DATA)
    found = pair.carry([HEAD, copy, copy])
    assert [bytes(frame) for frame in found[1:]] == [DATA] * 2
    assert [is_room(frame) for frame in found[1:]] == [True, False]


@pytest.mark.parametrize("which", ["here", "there"])
def test_who_does_not_want_it_gets_all_by_the_socket(stack: ExitStack, which: str) -> None:
    here, there = (opened(stack, shared_memory=name != which) for name in ("here", "there"))
    pair = Pair.__new__(Pair)
    pair.here, pair.there = here, there
    pair.out = here.dial(there.links.bound.direct)
    pair.carry([HEAD])
    pair.step(lambda: there.log.received or True)
    assert [pair.lends() for _ in range(5)] == [False] * 5


def test_single_frames_ask_for_nothing(stack: ExitStack) -> None:
    pair = Pair(stack)
    for _ in range(3):
        pair.carry([HEAD + DATA])
        quiet(0.05, pair.here, pair.there)
    assert not process_pool().lends


def test_the_end_of_a_connection_ends_its_loans(stack: ExitStack) -> None:
    pair = Pair(stack)
    assert not pair.lends()
    pair.step(lambda: process_pool().lends)
    kept = pair.carry([HEAD, process_pool().copied(DATA)])[1]
    pair.here.links.hang_up(pair.out)
    assert not process_pool().lends
    pair.step(lambda: pair.there.log.ends)
    assert bytes(kept) == DATA


def test_the_end_of_a_guest_ends_what_is_lent_to_it(stack: ExitStack) -> None:
    pair = Pair(stack)
    assert not pair.lends(back=True)
    pair.step(lambda: process_pool().lends)
    assert pair.lends(back=True)
    pair.here.links.hang_up(pair.out)
    pair.step(lambda: not process_pool().lends)


def test_a_stranger_that_ignores_the_offer_is_sent_everything(stack: ExitStack) -> None:
    end = opened(stack)
    dealer = foreign_dealer(stack, end)
    connection = end.log.received[0][0]
    for _ in range(3):
        end.links.send(connection, [HEAD, process_pool().copied(DATA)])  # type: ignore[list-item]  # a view
    offer = dealer.recv_multipart()
    assert [frame[:4] for frame in offer] == [b"MQ\2\5"]
    assert [dealer.recv_multipart() for _ in range(3)] == [[HEAD, DATA]] * 3
    dealer.send(pack_found(b"guessed" + bytes(9)))
    quiet(0.2, end)
    end.links.send(connection, [HEAD, process_pool().copied(DATA)])  # type: ignore[list-item]  # a view
    assert dealer.recv_multipart() == [HEAD, DATA]
    assert not end.log.ends


def test_a_stranger_that_offers_what_is_not_there_gets_no_answer(stack: ExitStack) -> None:
    end = opened(stack)
    dealer = foreign_dealer(stack, end)
    own = process_pool().offer()
    assert own is not None
    for memory in (
        Memory(1, 0, 0, TOKEN),
        Memory(2**32 - 1, 3, 4, TOKEN),
        own._replace(token=TOKEN),
        own._replace(inode=own.inode + 1),
        own._replace(descriptor=0),
    ):
        dealer.send(pack_memory(memory))
    quiet(0.3, end)
    assert not dealer.poll(0)
    assert not end.log.ends
    assert [frames for _, frames in end.log.received] == [[HEAD]]


def test_who_sends_back_our_own_offer_from_elsewhere_is_not_heard(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshmq.links.outside.is_accepted_here", lambda _fileno, _known: False)
    end = opened(stack)
    dealer = foreign_dealer(stack, end)
    own = process_pool().offer()
    assert own is not None
    dealer.send(pack_memory(own))
    quiet(0.2, end)
    end.links.send(end.log.received[0][0], [HEAD, process_pool().copied(DATA)])  # type: ignore[list-item]  # a view
    assert dealer.recv_multipart() == [HEAD, DATA], "it is neither offered nor found"
    dealer.send_multipart([pack_lent([Lent(1, own.descriptor, own.inode, 0, 1, 1)]), HEAD, b""])
    until(lambda: end.log.ends, end)


@pytest.mark.parametrize("which", ["out", "back"])
def test_nothing_is_lent_beyond_the_host(stack: ExitStack, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    for name in ("dialled.is_dialled_here", "outside.is_accepted_here"):
        monkeypatch.setattr(f"meshmq.links.{name}", lambda _one, _other: False)
    pair = Pair(stack)
    assert [pair.lends(back=which == "back") for _ in range(5)] == [False] * 5
    assert not process_pool().lends


def test_a_receiver_without_descriptors_takes_a_copy(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(stack)
    assert not pair.lends()
    pair.step(lambda: process_pool().lends)

    def fail(_: Memory) -> Segment:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Segment, "find", fail)
    for _ in range(3):
        found = pair.carry([HEAD, process_pool().copied(DATA)])[1]
        assert type(found) is bytes
        assert found == DATA
    assert not pair.there.log.ends
    monkeypatch.setattr("meshmq.links.shared.loans.fetch", fail_to_fetch)
    pair.here.links.send(pair.out, [HEAD, process_pool().copied(DATA)])  # type: ignore[list-item]  # a view
    pair.step(lambda: pair.there.log.ends and pair.here.log.ends)
    assert not process_pool().lends


def fail_to_fetch(*_: object) -> bytes:
    raise OSError(errno.EMFILE, "Too many open files")
