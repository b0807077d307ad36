"""Jobs for one node alone: nobody else gets them, whatever becomes of it."""

from __future__ import annotations

import pytest

from meshmq.core.hands import Hand
from meshmq.core.participant import Participant
from meshmq.errors import AmbiguousPeer
from meshmq.wire.verdicts import Verdict
from tests.core.village import Village, body, numbered


def push(village: Village, index: int, to: str, *bodies: bytes) -> None:
    for one in bodies:
        village.do(index, lambda node, now, one=one: node.push("jobs", one, (), None, now, to))  # type: ignore[misc]  # mypy cannot infer a default


def test_only_the_node_that_was_named_gets_them() -> None:
    village = Village(3)
    village.open(1)
    village.open(2)
    village.take(1)
    village.take(2)
    push(village, 0, "n2", *numbered(50))
    village.push(0, b"anybody")
    village.run(0.5)
    done = [one for one, _ in village.work_off(2)]
    others = [one for one, _ in village.work_off(1)]
    assert [one for one in done if one != b"anybody"] == numbered(50)
    assert sorted([*done, *others]) == sorted([*numbered(50), b"anybody"])
    assert village[0].outboxes["jobs"].depth == 0


def test_they_wait_for_a_node_that_is_not_here_or_does_not_pull() -> None:
    village = Village(2)
    push(village, 0, "n1", b"later")
    push(village, 0, "somebody", b"never")
    village.run(1)
    assert village[0].outboxes["jobs"].depth == 2
    village.open(1)
    assert [one for one, _ in village.work_off(1)] == [b"later"]
    assert village[0].outboxes["jobs"].depth == 1


def test_an_id_names_a_node_and_a_node_may_name_itself() -> None:
    village = Village(2)
    village.open(0)
    village.open(1)
    push(village, 0, village[1].node_id.hex(), b"by id")
    push(village, 0, "n0", b"mine")
    assert [one for one, _ in village.work_off(1)] == [b"by id"]
    assert [one for one, _ in village.work_off(0)] == [b"mine"]


def test_what_comes_back_goes_to_the_same_node_again() -> None:
    village = Village(3)
    village.open(1)
    village.open(2)
    village.take(2)
    push(village, 0, "n1", b"one", b"two")

    def begun() -> Hand:
        return village.next(1)

    hand = begun()
    assert body(hand) == b"one"
    village.leave(1)
    hand = village.next(1, "another")
    assert (body(hand), hand.batch.attempt) == (b"one", 2)
    hand.said[hand.position] = Verdict.REFUSED
    village.do(1, lambda node, now: node.judge("jobs", hand, hand.position, Verdict.REFUSED, 0.0, now))
    village.finish(1, hand)
    village.run(1)
    assert sorted(one for one, _ in village.work_off(1)) == [b"one", b"two"]
    assert village.work_off(2) == []


def test_a_name_that_several_bear_is_refused() -> None:
    village = Village(3)
    for index in (1, 2):
        peer = village[0].roster[village[index].node_id]
        object.__setattr__(peer.card, "name", "twin")
    with pytest.raises(AmbiguousPeer, match="2 nodes are named 'twin'"):
        village[0].push("jobs", b"x", (), None, village.sim.now, "twin")
    assert "jobs" not in village[0].outboxes


def test_what_is_pushed_while_a_session_has_no_connection_goes_when_it_has_one_again() -> None:
    village = Village(2)
    village.open(1, prefetch=50)
    village.take(1)
    push(village, 0, "n1", b"first")
    assert [one for one, _ in village.work_off(1)] == [b"first"]
    session = village[0].sessions[village[1].node_id]
    connection = session.connection
    assert connection is not None
    village.do(0, lambda node, now: node.ended(connection, now))
    push(village, 0, "n1", b"second")
    assert session.live
    assert session.connection is None
    village.run(3)  # nobody asks, and nobody acks
    assert village[1].inboxes["jobs"].waiting == 1


def test_thousands_who_are_not_here_hold_up_nobody_who_is(monkeypatch: pytest.MonkeyPatch) -> None:
    village = Village(2)
    for number in range(1_000):
        push(village, 0, f"absent-{number}", b"later")
    sought: list[str] = []
    whole = type(village[0])._bearer

    def bearer(self: Participant, to: str) -> bytes | None:
        sought.append(to)
        return whole(self, to)

    monkeypatch.setattr(type(village[0]), "_bearer", bearer)
    village.open(1)
    village.open(0)
    push(village, 0, "n1", b"by name")
    push(village, 0, village[1].node_id.hex(), b"by id")
    push(village, 0, "n0", b"mine")
    assert sorted(one for one, _ in village.work_off(1)) == [b"by id", b"by name"]
    assert [one for one, _ in village.work_off(0)] == [b"mine"]
    village.run(2)
    assert village[0].outboxes["jobs"].depth == 1_000
    assert {to for to in sought if to.startswith("absent")} == set()
