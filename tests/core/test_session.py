"""A session opens with HELLO each way, one for a pair, whoever dials and however often."""

from __future__ import annotations

import pytest

from meshmq.core.redial import REDIAL_LIMIT
from meshmq.core.session import DIAL_LIMIT
from tests.core.pair import Pair


def test_hello_each_way_opens_a_session_with_one_id(pair: Pair) -> None:
    pair.a.session.want(0.0)
    pair.run(0.1)
    assert pair.a.session.live
    assert pair.a.session.id == pair.b.session.id
    assert pair.a.session.epoch == pair.b.session.epoch == 1
    assert pair.a.told == pair.b.told == ["up"]
    assert repr(pair.a.session) == "<Session with 62626262 up, 0 uncovered>"


def test_wanting_twice_dials_once(pair: Pair) -> None:
    pair.a.session.want(0.0)
    pair.a.session.want(0.0)
    pair.run(0.1)
    pair.a.session.want(0.1)
    pair.run(0.1)
    assert pair.a.dials == 1


@pytest.mark.parametrize("first", ["a", "b"])
def test_when_both_dial_the_dial_of_the_smaller_id_stands(pair: Pair, first: str) -> None:
    pair.a.session.want(0.0)
    pair.b.session.want(0.0)
    for side in (pair.a, pair.b):
        side.session.tick(0.0)
    pair.collect()
    if first == "b":
        pair.under_way.reverse()
    pair.run(1.0)
    assert pair.a.session.id == pair.b.session.id
    assert pair.a.told == pair.b.told == ["up"]
    assert (pair.a.dials, pair.b.dials) == (1, 1)
    assert pair.a.session.connection is not None
    assert pair.a.session.connection % 2 == 0


def test_a_lost_first_hello_is_dialled_again(pair: Pair) -> None:
    pair.a.session.want(0.0)
    pair.mute.add(pair.a)
    pair.run(DIAL_LIMIT - 0.1)
    pair.mute.clear()
    assert (pair.a.dials, pair.a.told) == (1, [])
    pair.run(1.0)
    assert (pair.a.dials, pair.a.told, pair.b.told) == (2, ["up"], ["up"])


def test_a_lost_answer_is_dialled_again_and_the_new_session_replaces_the_half_one(pair: Pair) -> None:
    pair.mute.add(pair.b)
    pair.a.session.want(0.0)
    pair.run(1.0)
    assert (pair.a.told, pair.b.told) == ([], ["up"])
    pair.mute.clear()
    pair.run(10.0)
    assert pair.a.session.id == pair.b.session.id is not None
    assert pair.a.told == ["up"]
    assert pair.b.told[-1] == "up"


def test_refused_dials_come_ever_later(pair: Pair) -> None:
    pair.refusing[pair.b] = "refused"
    pair.a.session.want(0.0)
    pair.run(60.0)
    assert 12 < pair.a.dials < 25
    before, soon = pair.a.dials, REDIAL_LIMIT * 1.3
    pair.refusing.clear()
    pair.run(soon)
    assert (pair.a.dials, pair.a.told) == (before + 1, ["up"])


def test_a_dial_without_address_waits_for_one(pair: Pair) -> None:
    pair.a.addresses = ()
    pair.a.session.want(0.0)
    pair.run(1.0)
    assert pair.a.dials == 0
    pair.a.addresses = ("b",)
    pair.run(5.0)
    assert pair.a.told == ["up"]


def test_who_gives_up_dials_no_more(pair: Pair) -> None:
    pair.refusing[pair.b] = "unreachable"
    pair.a.session.want(0.0)
    pair.run(1.0)
    pair.a.session.give_up()
    dials = pair.a.dials
    pair.run(30.0)
    assert pair.a.dials == dials
    assert pair.a.session.deadline is None


def test_another_incarnation_that_answers_is_hung_up(met: Pair) -> None:
    met.cut(met.a)
    met.b.id = b"x" * 16
    met.b.session.me = met.b.id
    met.run(0.1)
    assert met.a.told == ["up", "another incarnation answered"]
    assert not met.a.connections
