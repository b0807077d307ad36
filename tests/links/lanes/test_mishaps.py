"""What may befall lanes: a reader that goes, a full memory, a fork, a swallowed edge, somebody gone already."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import zmq

from meshmq.links.forks import tell_in_child
from meshmq.links.lanes import pipes
from meshmq.links.lanes.pipes import CROSSES, Inlet
from meshmq.links.options import UNREAD
from meshmq.wire.lanes import LaneReader, pack_message
from tests.links.ends import End, opened, quiet, until
from tests.links.lanes.pairs import HEAD, Pair, lane
from tests.network.conftest import Spawn, spawn, start

__all__ = ["spawn", "start"]

pytestmark = pytest.mark.skipif(not CROSSES, reason="no pipe of another process can be opened here")

BACK = pytest.mark.parametrize("back", [False, True], ids=["out", "back"])
WRITER = """
import signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as programs for the command line do
from contextlib import ExitStack
from pathlib import Path
from tests.links.ends import opened, until
from tests.links.lanes.pairs import HEAD, lane

with ExitStack() as stack:
    end = opened(stack, ipc=Path(sys.argv[1]), tcp=())
    out = end.dial([sys.argv[2]])
    until(lambda: lane(end, out), end)  # until then only so much is held
    while not end.log.ends and end.links.send(out, [HEAD + b"x"]):
        end.step()
    print("outlived it", flush=True)
"""


class Other:
    """Somebody else who is to learn of a fork."""

    told = False

    def tell(self) -> None:
        self.told = True


def numbers(end: End) -> list[int]:
    return [int.from_bytes(frames[0][len(HEAD) :]) for _, frames in end.log.received]


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_who_goes_before_the_first_answer_breaks_nothing(stack: ExitStack, tmp_path: Path, kind: str) -> None:
    end = opened(stack, ipc=tmp_path / "end", tcp=("127.0.0.1",))
    context = stack.enter_context(zmq.Context())
    dealer = context.socket(zmq.DEALER)
    dealer.connect(next(address for address in end.links.bound.direct if address.startswith(kind)))
    dealer.send(HEAD)
    until(lambda: end.log.received, end)
    connection = end.log.received[0][0]
    dealer.close(linger=0)
    links: Any = end.links
    guest = links._outside._by_connection[connection]
    until(lambda: guest.fileno < 0, end)
    end.links.send(connection, [HEAD])
    quiet(0.1, end)


def test_a_reader_that_goes_sends_nobody_a_signal(end_of_writer: End, tmp_path: Path, spawn: Spawn) -> None:
    child = spawn(WRITER, tmp_path / "writer", end_of_writer.links.bound.direct[0])
    until(lambda: len(end_of_writer.log.received) > 500 and end_of_writer.links.lanes, end_of_writer, limit=50.0)
    end_of_writer.links.hang_up(end_of_writer.log.received[0][0])
    quiet(0.3, end_of_writer)
    assert child.line() == "outlived it"


@pytest.fixture
def end_of_writer(stack: ExitStack, tmp_path: Path) -> End:
    return opened(stack, ipc=tmp_path / "reader", tcp=())


def test_what_a_lane_has_answered_on_the_router_swallows_nobodys_message(
    pair: Pair, stack: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = opened(stack, ipc=tmp_path / "third", tcp=())
    to_there = third.dial(pair.there.links.bound.direct)
    third.links.send(to_there, [HEAD])
    until(lambda: pair.there.log.received, pair.here, pair.there, third)
    pair.there.log.received.clear()
    pair.get_lane(back=False)
    drain, sent = Inlet.drain, list[int]()
    links: Any = pair.there.links

    def drained(inlet: Inlet, decider: Any, now: float, quota: int) -> int:
        if decider is pair.there.log and not sent:  # between the look at the descriptors and the answer
            sent.append(1)
            third.links.send(to_there, [HEAD + b"third"])
            while not links._outside.socket.poll(0):
                pass
        return drain(inlet, decider, now, quota)

    monkeypatch.setattr(Inlet, "drain", drained)
    for _ in range(32):  # then it wants a lane: LAID comes by the other one, and TAKEN goes by the ROUTER
        pair.there.links.send(pair.back, [HEAD])
    until(lambda: lane(pair.there, pair.back).taken, pair.here, pair.there)
    assert sent
    until(lambda: [1 for _, frames in pair.there.log.received if frames[0] == HEAD + b"third"], pair.there)


@BACK
def test_where_memory_fails_nothing_comes_too_early(pair: Pair, monkeypatch: pytest.MonkeyPatch, *, back: bool) -> None:
    pair.get_lane(back=back)
    source, connection, target = pair.ways(back=back)
    writev, calls = os.writev, list[int]()

    def scarce(fileno: int, parts: Sequence[bytes]) -> int:
        calls.append(fileno)
        if len(calls) == 3:
            raise OSError(errno.ENOMEM, "no page")
        return writev(fileno, parts)

    monkeypatch.setattr("meshmq.links.lanes.pipes.os.writev", scarce)
    for number in range(6):
        source.links.send(connection, [HEAD + number.to_bytes(4)])
    pair.until(lambda: source.log.ends and target.log.ends)
    assert numbers(target) == [0, 1]
    assert source.links.counts == {"unwritten": 1}  # type: ignore[attr-defined]  # of links over ZeroMQ


@BACK
def test_the_number_of_messages_that_nobody_reads_is_bounded(pair: Pair, *, back: bool) -> None:
    pair.get_lane(back=back)
    source, connection, _ = pair.ways(back=back)
    sent = 0
    while source.links.send(connection, [HEAD]) and not source.log.ends:
        sent += 1
        if sent % 1000 == 0:
            source.step()
    assert UNREAD < sent < 2 * UNREAD
    assert source.links.counts == {"unread": 1}  # type: ignore[attr-defined]  # of links over ZeroMQ


def test_the_smallest_messages_are_all_read_at_the_end(pair: Pair) -> None:
    pair.get_lane(back=False)
    outlet, inlet = lane(pair.here, pair.out)._outlet, lane(pair.there, pair.back)._inlet
    sent = 0
    for _ in range(2):  # a full pipe, and a piece of it that is read
        while not outlet._left:
            pair.send([HEAD], back=False)
            sent += 1
        inlet.drain(pair.there.log, time.monotonic(), 1)
        outlet._go_on()
    waits = sum(map(len, outlet._left)) // 25 + 1
    outlet._left.clear()
    inlet.finish(pair.there.log, time.monotonic())
    assert len(pair.there.log.received) >= sent - waits


@pytest.mark.parametrize("when", ["it begins", "its reader goes", "its writer goes"])
def test_a_fork_while_a_descriptor_is_closed_leaves_nobody_untold(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    others = [Other() for _ in range(64)]
    for other in others:
        tell_in_child(other.tell)
    ends = list[int]()
    at = {"it begins": "begin", "its reader goes": "_let_go", "its writer goes": "_let_go"}[when]

    class Forking:
        """The module ``os`` as the lanes see it, and nobody else."""

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def close(self, fileno: int) -> None:
            os.close(fileno)
            if armed and not ends:
                ends.append(-1)  # before: in the child there are more of them to close
                child = os.fork()
                if not child:
                    os._exit(sum(not other.told for other in others))
                ends[0] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    armed = at == "begin"
    monkeypatch.setattr(pipes, "os", Forking())
    find = pipes._find

    def found(laid: Any) -> int:
        nonlocal armed
        was, armed = armed, False
        try:
            return find(laid)
        finally:
            armed = was

    monkeypatch.setattr(pipes, "_find", found)
    pair.get_lane(back=False)
    pair.until(lambda: pair.there.links.lanes)
    if at == "_let_go":
        armed = True
        reader = when == "its reader goes"
        (pair.there if reader else pair.here).links.hang_up(pair.back if reader else pair.out)
    assert ends == [0]


def test_a_reader_keeps_nothing_of_what_it_has_handed_on() -> None:
    reader = LaneReader(1 << 20, 4)
    reader.feed(b"".join(pack_message([HEAD, bytes(500_000)])))
    message = reader.message()
    assert message is not None
    assert reader.message() is None
    assert not reader._data
    assert not reader._pieces
