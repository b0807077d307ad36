"""The HELLO of a dial that was given up may come late, and what it says of what was received is old by then."""

from __future__ import annotations

import pytest

from meshmq.wire.chunks import CHUNK_BYTES
from meshmq.wire.frames import Kind, unpack_head, unpack_hello
from tests.core.pair import Frames, Pair, Side


def fast(pair: Pair, side: Side) -> None:
    """Have a side know that its line carries much in a moment."""
    for _ in range(30):
        side.session._stream.cover(side.session._stream.keep(Kind.JOBS, [bytes(1_000_000)], pair.now), pair.now + 0.001)
        pair.now += 0.001
    pair.other(side).session._stream.received = side.session._stream.sent


def hello_under_way(pair: Pair, to: Side) -> tuple[Side, int, Frames | None]:
    """Take the HELLO out that is under way to a side."""
    pair.collect()
    for one in pair.under_way:
        if one[0] is to and one[2] is not None and unpack_head(one[2][0])[0] is Kind.HELLO:
            pair.under_way.remove(one)
            return one
    raise AssertionError("no HELLO is under way")


def test_a_late_hello_changes_nothing(met: Pair) -> None:
    a, b = met.a, met.b
    met.cut(a, b)
    for side in (b, a):
        met.now = max(met.now, side.session.deadline or 0.0)
        side.session.tick(met.now)
    late = hello_under_way(met, a)  # b has dialled, too, and its dial does not stand
    ends = dict(met.ends)
    met.settle()
    stands = a.session.connection
    assert stands is not None
    fast(met, a)
    large = [b"w" * 3 * CHUNK_BYTES]
    for body in (large, [b"small"]):
        a.session.pump(met.now, iter([(Kind.NEWS, body), None]).__next__)
    while met.deliver():  # b has them, and has not said so yet
        pass
    assert b.session._stream.received == a.session._stream.sent
    assert not a.session.settled
    there = (a, late[1])
    met.ends[there], met.ends[ends[there]] = ends[there], there
    met.under_way.append(late)
    met.run(2.0)
    a.session.pump(met.now, iter([(Kind.NEWS, [b"after"]), None]).__next__)
    met.run(2.0)
    assert b.read == [*large, b"small", b"after"]
    assert a.session.settled
    assert a.told == b.told == ["up"]
    assert a.session.connection == stands


@pytest.mark.parametrize("seconds", [0.1, 10.0])
def test_each_dial_has_a_higher_number(met: Pair, seconds: float) -> None:
    numbers = []
    for _ in range(3):
        met.cut(met.a, met.b)
        met.now = max(met.now, met.a.session.deadline or 0.0)
        met.a.session.tick(met.now)
        frames = hello_under_way(met, met.b)[2]
        assert frames is not None
        numbers.append(unpack_hello(frames[0][20:]).dial)
        met.run(seconds)
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 0
