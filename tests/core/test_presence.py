"""Presence comes from connections: who shows a card is here."""

from __future__ import annotations

import pytest

from meshmq.core.beats import BEAT_EVERY, FEW
from meshmq.core.roster import ONE_WAY_AFTER
from meshmq.wire.card import CARD_TOPIC, Word, own_string, pack_peers, pack_word, read_stamp
from tests.core.host import ME, World, card_of, peers_told


def test_a_peer_is_here_when_its_own_card_answers_our_dial(world: World) -> None:
    connection = world.find("a")
    assert world.names() == ""
    world.presence.reached(connection, "memory://a/c", world.now)
    assert world.names() == ""
    world.hear(connection, card_of("a", pulls=("jobs",)))
    assert world.names() == "a"
    assert world.peer("a").card.pulls == ("jobs",)
    assert world.told == ["a joined: found by test", "+a"]


def test_a_claim_starts_a_dial_and_nothing_else(world: World) -> None:
    world.claim("a")
    assert world.names() == ""
    world.wait(0)
    (connection,) = world.dials()
    world.hear(connection, card_of("b"))  # whoever is there says who it is
    assert world.names() == "b"


def test_who_subscribes_gets_our_card_and_once_who_else_is_here(world: World) -> None:
    world.meet("a")
    world.meet("b")
    world.claim("c")
    assert [word for _, word, _ in world.published()] == [Word.CARD]
    world.wait(0)
    (connection,) = world.dials()
    world.hear(connection, card_of("c"))
    told = world.published()
    assert [word for _, word, _ in told] == [Word.PEERS, Word.PING]
    assert {topic for topic, _, _ in told} == {own_string(b"c" * 16, ("memory://c/c",))}
    assert sorted(peers_told(told)) == [b"a" * 16, b"b" * 16]
    world.claim("c")
    assert peers_told(world.published()) == []


def test_those_we_are_told_of_are_dialled(world: World) -> None:
    connection = world.meet("a")
    others = [(b"b" * 16, ("memory://b/c",)), (ME, ("memory://elsewhere",)), (b"a" * 16, ("memory://a/c",))]
    world.word(connection, pack_peers(others))
    world.wait(0)
    assert len(world.dials()) == 1


def test_our_own_address_is_no_peer(world: World) -> None:
    world.presence.found(("memory://me/c",), "test", None, 0.0)
    world.presence.found(("memory://other/c",), "test", ME, 0.0)
    world.claim("M")
    world.wait(0)
    assert world.dials() == []
    connection = world.find("x")
    world.hear(connection, card_of("M"))  # we ourselves, by another way
    assert world.hung_up() == [connection]
    assert world.names() == ""
    world.wait(1)
    assert world.dials() == []


def test_one_that_is_here_is_not_dialled_again(world: World) -> None:
    connection = world.meet("a")
    world.presence.found(("memory://a/c",), "test", b"a" * 16, world.now)
    world.wait(1)
    assert world.dials() == []
    world.presence.reached(connection, "memory://a/other", world.now)
    world.presence.found(("memory://a/other",), "test", None, world.now)
    world.wait(1)
    assert world.dials() == []


def test_the_second_way_to_a_peer_is_hung_up(world: World) -> None:
    first = world.meet("a")
    second = world.find("other")
    world.hear(second, card_of("a"))
    assert world.hung_up() == [second]
    assert world.peer("a").connection == first


def test_another_incarnation_at_the_address_takes_the_place_of_the_old(world: World) -> None:
    connection = world.meet("a")
    world.hear(connection, card_of("b"))
    assert world.names() == "b"
    assert world.told[0] == "a lost: another incarnation took its address"
    assert world.peer("b").connection == connection
    assert world.hung_up() == []


def test_another_incarnation_that_is_known_by_another_way_keeps_that(world: World) -> None:
    old = world.meet("a")
    new = world.meet("b")
    world.hear(old, card_of("b"))
    assert world.names() == "b"
    assert world.peer("b").connection == new
    assert world.hung_up() == [old]


def test_a_changed_card_is_told_once(world: World) -> None:
    connection = world.meet("a")
    world.hear(connection, card_of("a", 2, state="draining"))
    world.hear(connection, card_of("a", 2, state="draining"))
    assert world.told == ["a changed: it is draining", "+a"]
    assert world.presence.roster.pullers("jobs") == []


def test_our_card_is_published_at_most_five_times_a_second(world: World) -> None:
    for number in range(2, 12):
        world.presence.change(card_of("M", number), world.now)
        world.wait(0.05)
    cards = [fields for _, word, fields in world.published() if word is Word.CARD]
    assert 2 <= len(cards) <= 4
    world.presence.change(card_of("M", 20), world.now, at_once=True)
    assert [fields["number"] for _, _, fields in world.published()] == [20]


def test_beats_carry_the_cards_number_and_who_missed_one_asks(world: World) -> None:
    world.presence.change(card_of("M", 7), 0.0, at_once=True)
    world.wait(3 * BEAT_EVERY)
    beats = [fields for _, word, fields in world.published() if word is Word.BEAT]
    assert len(beats) in (2, 3, 4)
    assert {read_stamp(fields, "number") for fields in beats} == {7}
    connection = world.meet("a")
    world.beat(connection, 1)
    assert world.published() == []
    world.beat(connection, 2)
    ((topic, word, _),) = world.published()
    assert (topic[:1], word) == (b"\xff", Word.ASK)
    world.word(connection, pack_word(Word.ASK))
    ((_, word, fields),) = world.published()
    assert (word, fields["number"]) == (Word.CARD, 7)


def test_the_round_trip_is_measured(world: World) -> None:
    connection = world.find("a")
    world.claim("a")
    world.outputs.clear()
    world.now = 10.0
    world.hear(connection, card_of("a"))
    ((_, word, fields),) = world.published()
    assert word is Word.PING
    world.now = 10.25
    world.word(connection, pack_word(Word.PONG, read_stamp(fields)))
    assert world.peer("a").round_trip == pytest.approx(0.25)
    world.word(connection, pack_word(Word.PING, 77))
    ((_, word, fields),) = world.published()
    assert (word, read_stamp(fields)) == (Word.PONG, 77)


def test_every_minute_discovery_is_asked_to_announce_and_peers_are_pinged(world: World) -> None:
    connection = world.meet("a")
    for _ in range(13):
        world.wait(BEAT_EVERY)
        world.beat(connection)
    assert world.minutes == 1
    assert [word for _, word, _ in world.published()].count(Word.PING) == 2


def test_a_peer_whose_own_string_tells_another_address_is_dialled_there(world: World) -> None:
    world.meet("a")
    world.presence.reached(world.peer("a").connection or 0, "memory://a/c", world.now)
    moved = own_string(b"a" * 16, ("memory://a/elsewhere",))
    world.presence.claim(moved, True, world.now)
    assert "a lost: it has another address" in world.told
    world.wait(1)
    ((_, connection, _, addresses, _),) = [output for output in world.outputs if output[0] == "dial"]
    assert addresses == ("memory://a/elsewhere",)
    assert isinstance(connection, int)
    world.hear(connection, card_of("a", 2, control=("memory://a/elsewhere",)))
    assert world.names() == "a"


def test_who_was_reached_by_an_address_that_it_never_told_is_left_where_it_is(world: World) -> None:
    connection = world.meet("a")
    world.presence.reached(connection, "memory://in/front/of/a", world.now)
    world.claim("a")
    assert "a lost: it has another address" not in world.told


def test_after_a_move_new_dials_say_where_we_are_and_old_connections_are_still_heard(world: World) -> None:
    before = world.meet("a")
    world.presence.moved(("memory://me/new",), (), ("memory://me/direct",))
    assert world.presence.card.control == ("memory://me/new",)
    world.word(before, pack_word(Word.PONG, 0))  # to the string of then
    assert world.names() == "a"
    world.presence.found(("memory://b/c",), "test", None, world.now)
    world.wait(0)
    ((*_, strings),) = [output for output in world.outputs if output[0] == "dial"]
    assert strings == (CARD_TOPIC, own_string(ME, ("memory://me/new",)))


def test_where_many_meet_at_once_nobody_is_held_for_one_way(world: World) -> None:
    """Who has so many to dial calls back when it comes to it; a session with each of them is not needed."""
    connection = world.find("a")
    for name in "bcdefg":
        world.presence.found((f"memory://{name}/c",), "test", None, world.now)
    world.hear(connection, card_of("a"))
    world.wait(ONE_WAY_AFTER + 0.5)
    assert "one-way a" not in world.told
    for dialled in world.dials():
        world.presence.refused(dialled, "refused", "", world.now)
    world.wait(ONE_WAY_AFTER)
    assert "one-way a" in world.told


def test_round_trips_of_a_crowd_are_measured_by_the_next_beat(world: World) -> None:
    names = "abcdefghijklmnopqr"
    for name in names:
        connection = world.find(name)
        world.hear(connection, card_of(name))
        world.claim(name)
    pinged = [topic for topic, word, _ in world.published() if word is Word.PING]
    assert len(pinged) == FEW
    world.wait(BEAT_EVERY)
    pinged = [topic for topic, word, _ in world.published() if word is Word.PING]
    assert len(pinged) == len(names)
