"""The roster holds whose card we have, and counts who subscribed to us."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.roster import EVENTS_KEPT, ONE_WAY_AFTER, Roster
from meshmq.wire.card import Card

A = b"a" * 16


def card(node_id: bytes = A, number: int = 1, **fields: object) -> Card:
    return Card(node_id, "name", "m", number, **fields)  # type: ignore[arg-type]  # what the test gives


def test_a_card_makes_a_peer_and_a_newer_one_changes_it() -> None:
    roster = Roster(10)
    peer, new = roster.put(card(), 2, "test", "address", 1.0)
    assert (new, peer.since, peer.address, roster.of(2)) == (True, 1.0, "address", peer)
    again, new = roster.put(card(number=2, pulls=("jobs",)), 2, "test", "", 2.0)
    assert (again, new, peer.card.pulls, peer.address) == (peer, False, ("jobs",), "address")
    roster.put(card(number=1), 2, "test", "", 3.0)
    assert peer.card.number == 2  # an older card changes nothing but when it was heard
    assert peer.heard_at == 3.0


def test_names_of_the_last_who_went_are_known() -> None:
    roster = Roster(10)
    for number in range(EVENTS_KEPT + 1):
        roster.put(card(number.to_bytes(16, "big")), 2, "test", "", 0.0)
        roster.remove(number.to_bytes(16, "big"))
    assert len(roster.departed) == EVENTS_KEPT
    assert roster.departed[EVENTS_KEPT.to_bytes(16, "big")] == "name"


def test_a_peer_moves_to_a_fresh_connection() -> None:
    roster = Roster(10)
    peer, _ = roster.put(card(), 2, "test", "old", 0.0)
    roster.put(card(), 4, "test", "new", 0.0)
    assert (roster.of(2), roster.of(4), peer.address) == (None, peer, "new")
    roster.bind(peer, 6)
    assert (roster.of(4), roster.of(6)) == (None, peer)
    assert roster.unbind(peer) == 6
    assert roster.unbind(peer) is None
    assert roster.of(6) is None


def test_one_that_never_subscribes_is_due_to_be_one_way() -> None:
    roster = Roster(10)
    peer, _ = roster.put(card(), 2, "test", "", 1.0)
    assert roster.deadline == peer.one_way_at == 1.0 + ONE_WAY_AFTER
    roster.claim(A, True)
    assert not peer.one_way
    assert roster.deadline is None


def test_one_that_subscribed_before_its_card_came_is_not() -> None:
    roster = Roster(10)
    roster.claim(A, True)
    peer, _ = roster.put(card(), 2, "test", "", 1.0)
    assert peer.one_way_at is None


def test_claims_are_counted_for_they_may_be_withdrawn_after_the_new_came() -> None:
    roster = Roster(10)
    assert roster.claim(A, True) == (True, False)
    assert roster.claim(A, True) == (False, False)
    assert roster.claim(A, False) == (False, False)
    assert roster.claim(A, False) == (False, True)
    assert roster.claim(A, False) == (False, False)  # one too many is no news
    assert not roster.claims


@given(st.lists(st.booleans(), max_size=30))
def test_claims_never_sink_below_none(steps: list[bool]) -> None:
    roster = Roster(10)
    count = 0
    for present in steps:
        first, gone = roster.claim(A, present)
        before, count = count, count + 1 if present else max(0, count - 1)
        assert first == (present and count == 1)
        assert gone == (before == 1 and count == 0)
        assert roster.claims[A] == count


def test_it_is_full_for_strangers_only() -> None:
    roster = Roster(1)
    roster.put(card(), 2, "test", "", 0.0)
    assert roster.full(b"b" * 16)
    assert not roster.full(A)
    roster.remove(A)
    assert not roster.full(b"b" * 16)
    assert roster.remove(A) is None


def test_only_those_that_take_work_pull() -> None:
    roster = Roster(10)
    roster.put(card(A, pulls=("jobs", "more")), 2, "test", "", 0.0)
    roster.put(card(b"b" * 16, pulls=("jobs",), state="draining"), 4, "test", "", 0.0)
    roster.put(card(b"c" * 16), 6, "test", "", 0.0)
    assert [peer.id for peer in roster.pullers("jobs")] == [A]
    assert roster.pullers("none") == []


def test_events_are_readable_counted_and_bounded() -> None:
    roster = Roster(10)
    version = roster.version
    event = roster.tell("lost", card=card(), reason="its process is gone")
    assert str(event) == "name lost: its process is gone"
    assert str(roster.tell("refused", address="host:1")) == "host:1 refused"
    assert roster.version > version
    for _ in range(EVENTS_KEPT):
        roster.tell("joined", card=card())
    assert len(roster.events) == EVENTS_KEPT
    assert roster.happened == EVENTS_KEPT + 2
