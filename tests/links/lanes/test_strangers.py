"""Peers that are none of ours, or die: what they say of lanes, and what they leave in one."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import zmq

from meshmq.links.lanes.pipes import CROSSES
from meshmq.wire.lanes import Laid, pack_laid, pack_message, pack_taken, pack_wanted, unpack_laid
from tests.links.dealers import foreign_dealer
from tests.links.ends import End, opened, until
from tests.links.lanes.pairs import HEAD, MANY, lane
from tests.network.conftest import Spawn, spawn, start

__all__ = ["spawn", "start"]

pytestmark = pytest.mark.skipif(not CROSSES, reason="no pipe of another process can be opened here")

KILLED = """
import os, signal, sys
from contextlib import ExitStack
from math import inf
from pathlib import Path
from meshmq.links.lanes import lane as lanes
from tests.links.ends import opened, until
from tests.links.lanes.pairs import HEAD, MANY, lane

lanes._SPAN = inf

def send(numbers):
    for number in numbers:
        end.links.send(out, [HEAD + number.to_bytes(4)])
        end.step()

with ExitStack() as stack:
    end = opened(stack, ipc=Path(sys.argv[1]), tcp=())
    out = end.dial([sys.argv[2]])
    until(lambda: lane(end, out), end)  # what is sent before is not counted
    send(range(MANY))
    until(lambda: lane(end, out).taken, end)
    print("taken", flush=True)
    sys.stdin.readline()  # what went by the socket has arrived: what lies in libzmq would die with us
    send(range(MANY, 5000))
    until(lambda: not lane(end, out)._outlet._left, end)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def end(stack: ExitStack, tmp_path: Path) -> End:
    return opened(stack, ipc=tmp_path / "end", tcp=())


@pytest.fixture
def dealer(stack: ExitStack, end: End) -> zmq.SyncSocket:
    return foreign_dealer(stack, end)


def heard(end: End, dealer: zmq.SyncSocket) -> bytes:
    """The next message that a stranger gets."""
    for _ in range(1000):
        if dealer.poll(10):
            break
        end.step()
    return dealer.recv(zmq.DONTWAIT)


def asked(end: End, dealer: zmq.SyncSocket) -> int:
    """Have the end ask a stranger for a lane; returns the connection."""
    connection = end.log.received[0][0]
    for _ in range(MANY):
        end.links.send(connection, [HEAD])
    said = [heard(end, dealer) for _ in range(MANY + 1)]
    assert said.count(pack_wanted()) == 1
    return connection


@pytest.mark.parametrize(
    "said",
    [
        [pack_taken(True)],
        [pack_taken(False)],
        [pack_taken(True)[:-1]],
        [pack_laid(Laid(1, 2, 3))],
        [pack_wanted(), pack_wanted()],
        [pack_wanted(), pack_taken(True), pack_taken(True)[:-1]],
    ],
    ids=["taken before laid", "not taken before laid", "cut", "unwanted", "two", "taken and cut"],
)
def test_what_makes_no_sense_ends_the_connection(end: End, dealer: zmq.SyncSocket, said: list[bytes]) -> None:
    for frame in said:
        dealer.send(frame)
    until(lambda: end.log.ends, end)
    assert end.links.counts == {"garbled": 1}  # type: ignore[attr-defined]  # of links over ZeroMQ


def test_what_was_laid_and_never_taken_is_given_back_with_the_connection(end: End, dealer: zmq.SyncSocket) -> None:
    dealer.send(pack_wanted())
    laid = unpack_laid(heard(end, dealer))
    assert (laid.process, os.fstat(laid.descriptor).st_ino) == (os.getpid(), laid.inode)
    dealer.send(HEAD)
    until(lambda: len(end.log.received) == 2, end)
    dealer.close()
    until(lambda: end.log.ends, end)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(laid.descriptor)


def test_what_comes_by_a_lane_is_heard_as_what_comes_by_the_socket(end: End, dealer: zmq.SyncSocket) -> None:
    with writer(end, dealer) as lane:
        for frames in ([HEAD], [HEAD, b"more"], [HEAD + b"x" * 100_000]):
            for part in pack_message(frames):
                write(end, lane, part)
        until(lambda: len(end.log.received) == 4, end)
    assert [[bytes(frame) for frame in frames] for _, frames in end.log.received[1:]] == [
        [HEAD], [HEAD, b"more"], [HEAD + b"x" * 100_000]
    ]  # fmt: skip


@pytest.mark.parametrize("garbage", [b"\0", b"\1\xff\xff\xff\xff", b"\xff" * 10, os.urandom(4000)])
def test_garbage_in_a_lane_ends_the_connection(end: End, dealer: zmq.SyncSocket, garbage: bytes) -> None:
    with writer(end, dealer) as lane:
        write(end, lane, *pack_message([HEAD]))
        write(end, lane, garbage + bytes(5))
        until(lambda: end.log.ends, end)
    assert end.links.counts == {"garbled": 1}  # type: ignore[attr-defined]  # of links over ZeroMQ


def writer(end: End, dealer: zmq.SyncSocket) -> Any:
    """Have the end lay a lane, and open it."""
    dealer.send(pack_wanted())
    laid = unpack_laid(heard(end, dealer))
    opened_one = os.open(f"/proc/{laid.process}/fd/{laid.descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    dealer.send(pack_taken(True))
    return closing(os.fdopen(opened_one, "wb", buffering=0))


def write(end: End, lane: Any, *parts: bytes) -> None:
    left = b"".join(parts)
    while left:
        left = left[lane.write(left) or 0 :]
        end.step()


@pytest.mark.parametrize("what", ["another inode", "no descriptor", "no process", "a file"])
def test_only_a_pipe_that_is_the_one_named_is_written_to(
    end: End, dealer: zmq.SyncSocket, tmp_path: Path, what: str
) -> None:
    read, there = os.pipe2(os.O_NONBLOCK)
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    laid = Laid(os.getpid(), there, os.fstat(there).st_ino)
    connection = asked(end, dealer)
    named = {
        "another inode": laid._replace(inode=laid.inode + 1),
        "no descriptor": laid._replace(descriptor=2**31),
        "no process": laid._replace(process=2**32 - 1),
        "a file": Laid(os.getpid(), file, os.fstat(file).st_ino),
    }
    dealer.send(pack_laid(named[what]))
    assert heard(end, dealer) == pack_taken(False)
    end.links.send(connection, [HEAD + b"by the socket"])
    assert heard(end, dealer) == HEAD + b"by the socket"
    assert not lane(end, connection).taken
    assert os.fstat(file).st_size == 0
    with pytest.raises(BlockingIOError):
        os.read(read, 1)
    for fileno in (read, there, file):
        os.close(fileno)


def test_all_that_a_process_had_sent_is_there_when_it_was_killed(end: End, tmp_path: Path, spawn: Spawn) -> None:
    child = spawn(KILLED, tmp_path / "killed", end.links.bound.direct[0])
    until(lambda: len(end.log.received) == MANY and end.links.lanes, end, limit=50.0)
    child.until("taken")
    child.say("go on")
    until(lambda: end.log.ends, end)
    numbers = [int.from_bytes(frames[0][len(HEAD) :]) for _, frames in end.log.received]
    assert numbers == list(range(5000))


def test_a_message_may_come_a_byte_at_a_time(end: End, dealer: zmq.SyncSocket) -> None:
    with writer(end, dealer) as lane:
        for byte in b"".join(pack_message([HEAD, b"part", b"part"])):
            write(end, lane, bytes((byte,)))
        until(lambda: len(end.log.received) == 2, end)
