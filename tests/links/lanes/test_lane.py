"""Lanes between two ends of one host: what is sent arrives, once and in order, by whichever way and whoever ends."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from meshmq.links.lanes import pipes
from meshmq.links.lanes.pipes import CROSSES, PIPE_BYTES
from tests.links.ends import End, opened, quiet, until
from tests.links.lanes.pairs import HEAD, MANY, Pair, lane

pytestmark = pytest.mark.skipif(not CROSSES, reason="no pipe of another process can be opened here")

BACK = pytest.mark.parametrize("back", [False, True], ids=["out", "back"])
LARGE = bytes(range(256)) * 4000


def numbered(number: int) -> list[bytes]:
    return [HEAD + number.to_bytes(4)]


def numbers(end: End) -> list[int]:
    return [int.from_bytes(frames[0][len(HEAD) :]) for _, frames in end.log.received]


@BACK
def test_who_sends_much_gets_a_lane_in_that_direction(pair: Pair, *, back: bool) -> None:
    assert not lane(*pair.ways(back=False)[:2]).taken
    pair.get_lane(back=back)
    pair.send(numbered(0), back=not back)
    assert not lane(*pair.ways(back=not back)[:2]).taken


def test_who_sends_little_at_a_time_gets_none(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.links.lanes.lane._SPAN", 0.0)  # so many within no time: never
    for number in range(2 * MANY):
        assert pair.carry(numbered(number), back=False) == numbered(number)
    assert not lane(pair.here, pair.out)._wanted
    assert not lane(pair.here, pair.out).taken


@BACK
def test_all_comes_once_and_in_order_while_the_way_changes(pair: Pair, *, back: bool) -> None:
    _, _, target = pair.ways(back=back)
    for number in range(3 * MANY):
        pair.send(numbered(number), back=back)
        if number % 7 == 0:
            pair.here.step()
            pair.there.step()
    pair.until(lambda: lane(*pair.ways(back=back)[:2]).taken)
    for number in range(3 * MANY, 6 * MANY):
        pair.send(numbered(number), back=back)
    pair.until(lambda: len(target.log.received) == 6 * MANY)
    assert numbers(target) == list(range(6 * MANY))


@BACK
def test_large_frames_come_whole(pair: Pair, *, back: bool) -> None:
    pair.get_lane(back=back)
    for frames in ([HEAD + LARGE], [HEAD, LARGE, b"", LARGE[7:]], [HEAD, *[b"part"] * 40]):
        assert pair.carry(frames, back=back) == frames


def test_a_large_frame_lets_others_have_their_turn(pair: Pair) -> None:
    pair.get_lane(back=False)
    inlet = lane(pair.there, pair.back)._inlet
    pair.send([HEAD + LARGE], back=False)
    assert inlet.drain(pair.there.log, 0.0, 16) == 16, "asked again, though no message is there yet"
    assert not pair.there.log.received
    pair.until(lambda: pair.there.log.received)


@BACK
def test_a_reader_that_rests_holds_the_writer_up_and_gets_all_when_it_goes_on(pair: Pair, *, back: bool) -> None:
    pair.get_lane(back=back)
    _, _, target = pair.ways(back=back)
    count = 16
    assert count * len(LARGE) > 32 * PIPE_BYTES
    for number in range(count):
        pair.send([*numbered(number), LARGE[number:]], back=back)
    assert fcntl.fcntl(lane(*pair.ways(back=back)[:2])._outlet._fileno, fcntl.F_GETPIPE_SZ) > PIPE_BYTES
    pair.until(lambda: len(target.log.received) == count)
    assert numbers(target) == list(range(count))
    assert [bytes(frames[1]) for _, frames in target.log.received] == [LARGE[number:] for number in range(count)]


def test_only_some_lanes_of_a_node_are_wide_and_who_goes_makes_room(
    stack: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "_WIDE_LANES", 1)
    pair = Pair(stack, tmp_path)
    first, other = pair.out, pair.here.dial(pair.there.links.bound.direct)
    for connection, size in ((first, pipes.WIDE_BYTES), (other, PIPE_BYTES)):
        pair.out = connection
        pair.get_lane(back=False)
        pair.send([HEAD, LARGE, LARGE], back=False)
        assert fcntl.fcntl(lane(pair.here, connection)._outlet._fileno, fcntl.F_GETPIPE_SZ) == size
        pair.until(lambda: pair.there.log.received)
        assert [bytes(frame) for frame in pair.there.log.received.pop()[1]] == [HEAD, LARGE, LARGE]
    sources = pair.here.links._sources  # type: ignore[attr-defined]  # of links over ZeroMQ
    assert sources.wide_lanes == 1
    for connection in (first, other):
        pair.here.links.hang_up(connection)
        assert sources.wide_lanes == 0


@BACK
def test_a_reader_that_takes_nothing_of_very_much_is_cut_off(pair: Pair, *, back: bool) -> None:
    pair.get_lane(back=back)
    source, connection, _ = pair.ways(back=back)
    while source.links.send(connection, [HEAD, LARGE]) and not source.log.ends:
        source.step()
    assert source.log.ends == [connection]
    assert source.links.counts == {"unread": 1}  # type: ignore[attr-defined]  # of links over ZeroMQ


@BACK
def test_what_was_sent_arrives_before_the_end_does(pair: Pair, monkeypatch: pytest.MonkeyPatch, *, back: bool) -> None:
    for module in ("dialled", "outside"):
        monkeypatch.setattr(f"meshmq.links.{module}._TAIL", 0.0)  # the end is told before all is read
    pair.get_lane(back=back)
    source, connection, target = pair.ways(back=back)
    for number in range(4000):
        pair.send(numbered(number), back=back)
    source.links.hang_up(connection)
    pair.until(lambda: target.log.ends)
    assert numbers(target) == list(range(4000))
    quiet(0.1, pair.here, pair.there)
    assert not source.log.ends
    assert len(target.log.ends) == 1


@BACK
def test_nothing_is_heard_of_who_was_hung_up_on(pair: Pair, *, back: bool) -> None:
    pair.get_lane(back=back)
    _, _, target = pair.ways(back=back)
    pair.send(numbered(0), back=back)
    target.links.hang_up(pair.out if back else pair.back)
    quiet(0.1, pair.here, pair.there)
    assert not target.log.received


@pytest.mark.parametrize("who", ["here", "there"])
def test_who_does_not_want_one_gets_all_by_the_socket(stack: ExitStack, tmp_path: Path, who: str) -> None:
    pair = Pair(stack, tmp_path, **{who: False})
    for back in (False, True):
        for number in range(2 * MANY):
            assert pair.carry(numbered(number), back=back) == numbered(number)
        assert not lane(*pair.ways(back=back)[:2]).taken


def test_who_asks_for_tcp_gets_it(stack: ExitStack) -> None:
    here, there = opened(stack), opened(stack)
    out = here.dial(there.links.bound.direct)
    for number in range(2 * MANY):
        here.links.send(out, numbered(number))
    until(lambda: len(there.log.received) == 2 * MANY, here, there)
    assert numbers(there) == list(range(2 * MANY))
    assert not lane(here, out).taken


@BACK
def test_all_descriptors_are_given_back(stack: ExitStack, tmp_path: Path, *, back: bool) -> None:
    pair = Pair(stack, tmp_path)
    before = pipes_open()
    pair.get_lane(back=back)
    assert pipes_open() == before + 2
    source, connection, target = pair.ways(back=back)
    source.links.hang_up(connection)
    pair.until(lambda: target.log.ends)
    assert pipes_open() == before


def pipes_open() -> int:
    """Count this process's descriptors that are pipes."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += str(entry.readlink()).startswith("pipe:")
        except OSError:
            continue  # the one that lists
    return found


@BACK
def test_where_descriptors_are_scarce_there_is_none(pair: Pair, monkeypatch: pytest.MonkeyPatch, *, back: bool) -> None:
    before = pipes_open()
    monkeypatch.setattr(pipes, "resource", SimpleNamespace(RLIMIT_NOFILE=0, getrlimit=lambda _which: (8, 8)))
    for number in range(2 * MANY):
        assert pair.carry(numbered(number), back=back) == numbered(number)
    assert not lane(*pair.ways(back=back)[:2]).taken
    assert pipes_open() == before


@BACK
def test_where_it_cannot_be_opened_all_goes_on_by_the_socket(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, *, back: bool
) -> None:
    def refuse(_laid: object) -> int:
        raise PermissionError(errno.EACCES, "of another user")

    before = pipes_open()
    monkeypatch.setattr(pipes, "_find", refuse)
    for number in range(2 * MANY):
        assert pair.carry(numbered(number), back=back) == numbered(number)
    assert not lane(*pair.ways(back=back)[:2]).taken
    assert pipes_open() == before


def test_a_child_that_is_forked_holds_no_lane_open(pair: Pair) -> None:
    before = pipes_open()
    pair.get_lane(back=False)
    child = os.fork()
    if not child:
        os._exit(pipes_open() != before)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pair.carry(numbered(1), back=False) == numbered(1)
