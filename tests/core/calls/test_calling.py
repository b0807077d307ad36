"""Calls of one node to others, and whom they go to."""

from __future__ import annotations

from collections import Counter

import pytest

from meshmq.errors import AmbiguousPeer, NoPeersError, TimedOut
from tests.core.calls.hamlet import Hamlet, error, text


def test_request_is_taken_and_answered() -> None:
    hamlet = Hamlet()
    call = hamlet.ask(text="1 + 1")
    hamlet.run(0.1)
    incoming = hamlet.take(1)
    assert (bytes(incoming.value.body), incoming.attempt, incoming.peer) == (b"1 + 1", 1, hamlet.id(0))
    assert ("service", "add") in hamlet.woken
    assert hamlet.answer(1, incoming, "2")
    hamlet.run(0.1)
    assert text(call) == "2"
    assert ("call", call.id) in hamlet.woken


def test_answers_come_in_any_order() -> None:
    hamlet = Hamlet()
    calls = [hamlet.ask(text=str(number)) for number in range(5)]
    hamlet.run(0.1)
    taken = [hamlet.take(1) for _ in calls]
    for incoming in reversed(taken):
        hamlet.answer(1, incoming, f"to {bytes(incoming.value.body).decode()}")
    hamlet.run(0.1)
    assert [text(call) for call in calls] == [f"to {number}" for number in range(5)]


def test_own_services_work_on_the_node_itself() -> None:
    hamlet = Hamlet(1)
    hamlet.serve(0, "own")
    call = hamlet.ask("own")
    hamlet.answer(0, hamlet.take(0, "own"), "mine")
    assert text(call) == "mine"


def test_request_waits_for_a_server_to_appear() -> None:
    hamlet = Hamlet(serving=False)
    call = hamlet.ask()
    hamlet.run(1.0)
    assert call.outcome is None
    hamlet.serve(1)
    hamlet.run(0.5)
    hamlet.answer(1, hamlet.take(1))
    hamlet.run(0.1)
    assert text(call) == "answer"


def test_nobody_who_serves_within_the_time_is_told_with_what_is_served() -> None:
    hamlet = Hamlet(serving=False)
    hamlet.serve(1, "other")
    hamlet.run(0.5)
    call = hamlet.ask(timeout=2.0)
    hamlet.run(1.9)
    assert call.outcome is None
    hamlet.run(0.2)
    assert isinstance(error(call), NoPeersError)
    assert str(error(call)) == "nobody serves 'add' within 2 s: start a node that does; peers serve: other"


def test_with_no_time_at_all_nobody_is_told_at_once() -> None:
    hamlet = Hamlet(serving=False)
    assert isinstance(error(hamlet.ask(timeout=0.0)), NoPeersError)


def test_with_no_time_at_all_a_server_that_is_here_is_not_asked() -> None:
    hamlet = Hamlet()
    assert isinstance(error(hamlet.ask(timeout=0.0)), TimedOut)
    hamlet.run(0.5)
    assert hamlet.served(1) == {}


def test_thirty_calls_over_three_servers_are_spread_evenly() -> None:
    hamlet = Hamlet(4)
    for _ in range(30):
        hamlet.ask()
    hamlet.run(0.5)
    assert [hamlet.waiting(index) for index in (1, 2, 3)] == [10, 10, 10]


def test_calls_one_after_another_go_to_the_least_recently_used() -> None:
    hamlet = Hamlet(4)
    ran: Counter[int] = Counter()
    for _ in range(30):
        hamlet.ask()
        hamlet.run(0.5)
        index = next(index for index in (1, 2, 3) if hamlet.waiting(index))
        hamlet.answer(index, hamlet.take(index))
        hamlet.run(0.1)
        ran[index] += 1
    assert ran == {1: 10, 2: 10, 3: 10}


def test_who_is_slow_gets_less() -> None:
    hamlet = Hamlet(3)
    hamlet.ask()
    hamlet.run(0.2)
    slow, quick = (1, 2) if hamlet.waiting(1) else (2, 1)
    for _ in range(3):
        call = hamlet.ask()
        hamlet.run(0.2)
        hamlet.answer(quick, hamlet.take(quick))
        hamlet.run(0.1)
        assert text(call)
    assert hamlet.waiting(slow) == 1


def test_key_sticks_to_one_server_while_it_is_here() -> None:
    hamlet = Hamlet(4)
    keys = [bytes([number]) for number in range(12)]
    for _ in range(3):
        for key in keys:
            hamlet.ask(text=key.hex(), key=key)
    hamlet.run(0.5)
    homes: dict[bytes, set[int]] = {}
    for index in (1, 2, 3):
        while hamlet.waiting(index):
            homes.setdefault(bytes(hamlet.take(index).value.body), set()).add(index)
    assert all(len(where) == 1 for where in homes.values())
    assert len(set.union(*homes.values())) > 1


@pytest.mark.parametrize("by", ["name", "id"])
def test_to_names_the_only_server_that_is_asked(by: str) -> None:
    hamlet = Hamlet(4)
    to = "n2" if by == "name" else hamlet.id(2).hex()
    for _ in range(3):
        hamlet.ask(to=to)
    hamlet.run(0.5)
    assert [hamlet.waiting(index) for index in (1, 2, 3)] == [0, 3, 0]


def test_name_that_several_bear_is_ambiguous() -> None:
    hamlet = Hamlet(3)
    peers = hamlet[0].roster
    one, other = hamlet.id(1), hamlet.id(2)
    object.__setattr__(peers[other].card, "name", peers[one].card.name)
    ambiguous = error(hamlet.ask(to="n1"))
    assert isinstance(ambiguous, AmbiguousPeer)
    assert set(ambiguous.ids) == {one.hex(), other.hex()}


def test_name_that_nobody_bears_is_told() -> None:
    hamlet = Hamlet()
    call = hamlet.ask(to="camera", timeout=1.0)
    hamlet.run(1.1)
    assert str(error(call)) == "nobody named 'camera' serves 'add' within 1 s; it is served by: n1"


def test_draining_peers_get_nothing_new() -> None:
    hamlet = Hamlet(3)
    hamlet.do(1, lambda node, now: node.drain(now))
    hamlet.run(0.5)
    for _ in range(4):
        hamlet.ask()
    hamlet.run(0.5)
    assert [hamlet.waiting(1), hamlet.waiting(2)] == [0, 4]
