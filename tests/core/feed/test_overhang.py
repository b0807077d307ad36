"""What slow subscribers have under way is bounded: who is furthest goes on, the others miss it and are told."""

from __future__ import annotations

import pytest

from meshmq.core.feed.errands import Errands
from meshmq.core.feed.kept import Row
from meshmq.core.feed.overhang import Overhang
from meshmq.core.feed.series import Series, Shelf
from tests.core.feed.square import Square, numbers

SIZE = 1_000_000
SLOW = 6


class Transfers:
    """Stands for the sessions: how far each peer's transfer is, and whose was given up."""

    def __init__(self, **shares: float | None) -> None:
        self.shares = shares
        self.recalled: list[str] = []

    def lends(self, peer: bytes) -> float | None:
        return self.shares[peer.decode()]

    def recall(self, peer: bytes) -> None:
        self.recalled.append(peer.decode())
        self.shares[peer.decode()] = None


@pytest.fixture
def series() -> Series:
    series = Series("a", 1, None, 0.0)
    series.head = 100
    return series


def lend(overhang: Overhang, series: Series, **seqs: int) -> None:
    for peer, seq in seqs.items():
        errands = overhang._errands[peer.encode()] = Errands(b"p" * 16)
        errands.lent = series, seq, SIZE


def test_who_is_least_far_is_given_up_first_and_one_goes_on(series: Series) -> None:
    transfers = Transfers(a=0.5, b=0.1, c=0.9)
    overhang = Overhang(transfers, {})  # type: ignore[arg-type]  # all that it asks of its ground
    lend(overhang, series, a=1, b=2, c=3)
    overhang.most = 2 * SIZE
    overhang.bound()
    assert transfers.recalled == ["b"]
    overhang.most = 0
    overhang.bound()
    assert (transfers.recalled, overhang.recalled) == (["b", "a"], 2)
    overhang.bound()
    assert transfers.shares == {"a": None, "b": None, "c": 0.9}


def test_those_who_share_a_value_count_once_and_are_as_far_as_their_first(series: Series) -> None:
    transfers = Transfers(a=0.1, b=0.8, c=0.5, d=0.6)
    overhang = Overhang(transfers, {})  # type: ignore[arg-type]  # all that it asks of its ground
    lend(overhang, series, a=1, b=1, c=2, d=2)
    overhang.most = 2 * SIZE
    overhang.bound()
    assert not transfers.recalled
    overhang.most = SIZE
    overhang.bound()
    assert transfers.recalled == ["c", "d"]


def test_what_is_kept_anyway_and_the_newest_of_a_topic_are_not_counted(series: Series) -> None:
    transfers = Transfers(a=0.1, b=0.2, c=0.3, d=None)
    overhang = Overhang(transfers, {})  # type: ignore[arg-type]  # all that it asks of its ground
    lend(overhang, series, a=1, b=100, c=2, d=3)
    series.kept.put(Row(1, [b""], (), None, 0.0, SIZE))
    overhang.most = 0
    overhang.bound()
    assert not transfers.recalled
    assert overhang._errands[b"d"].lent is None  # it has left


def test_slow_subscribers_hold_no_more_than_the_bound_and_are_told_what_they_missed() -> None:
    square = Square(2 + SLOW)
    publisher = square[0].feed.publisher
    publisher.large, publisher.overhang.most = Shelf(2 * SIZE), 2 * SIZE
    slow = {index: square.subscribe(index, "a", latest=index == 2) for index in range(2, 2 + SLOW)}
    quick = square.subscribe(1, "a", since="first")
    square.run(5)
    most, heard_quickly = 0, list[int]()
    for number in range(60):
        if number % 8 == 0 and number // 8 < SLOW:  # each comes to stand with another value under way
            square.run(0.002)
            square.sim.stall(square.sim.nodes[2 + number // 8])
        square.publish(0, "a", b"%d" % number + bytes(SIZE))
        square.run(0.02)
        heard_quickly += numbers(square.heard(1, quick))
        lent = {errands.lent[1] for errands in publisher.errands.values() if errands.lent}
        most = max(most, len(lent))
    assert publisher.overhang.recalled > 0
    assert most <= 6  # two are kept, two are under way beside them, one is new
    for index in slow:
        square.sim.resume(square.sim.nodes[index])
    square.run(5)
    square.publish(0, "a", b"the end")
    square.run(5)
    for index, subscription in {1: quick, **slow}.items():
        heard = numbers(square.heard(index, subscription))
        heard = heard_quickly + heard if subscription is quick else heard
        assert heard == sorted(set(heard))
        assert heard[-1] == 61
        assert subscription.received + subscription.missed == 61


def test_what_has_left_whole_is_counted_and_not_recalled(series: Series) -> None:
    transfers = Transfers(a=1.0, b=0.5, c=1.0)
    overhang = Overhang(transfers, {})  # type: ignore[arg-type]  # all that it asks of its ground
    overhang.most = 5 * SIZE
    assert overhang.spare() == 5 * SIZE
    lend(overhang, series, a=1, b=2, c=3)
    assert overhang.spare() == 2 * SIZE
    overhang.most = SIZE
    assert overhang.spare() == 0
    overhang.bound()
    assert transfers.recalled == ["b"]
