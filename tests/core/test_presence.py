"""Presence comes from connections: who shows a card is here, who cannot be reached is gone."""

from __future__ import annotations

import pytest

from meshmq.core.presence import BEAT_EVERY
from meshmq.core.roster import ONE_WAY_AFTER
from meshmq.core.rumours import ANSWER_LIMIT_REACHED
from meshmq.settings import Settings
from meshmq.wire.card import Word, own_string, pack_peers, pack_word, read_stamp
from tests.core.host import ME, World, card_of, peers_told


@pytest.fixture
def world() -> World:
    return World()


# -- joining -------------------------------------------------------------------------------------


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


# -- our own card --------------------------------------------------------------------------------


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


# -- doubts --------------------------------------------------------------------------------------


def test_when_its_subscription_goes_a_peer_is_dialled_afresh_and_stays_if_it_answers(world: World) -> None:
    old = world.meet("a")
    world.claim("a", present=False)
    (fresh,) = world.dials()
    assert world.hung_up() == [old]
    assert world.told == ["?a"]
    world.wait(0.5)
    world.hear(fresh, card_of("a"))
    world.wait(2.0)
    assert world.names() == "a"


def test_refused_means_gone_at_once(world: World) -> None:
    world.meet("a")
    world.claim("a", present=False)
    (fresh,) = world.dials()
    world.presence.refused(fresh, "refused", "", world.now)
    assert world.names() == ""
    assert world.told[1] == "a lost: its process is gone"
    world.wait(30)
    assert world.dials() == []


def test_silence_means_gone_after_grace_and_it_is_dialled_for_a_while(world: World) -> None:
    world.meet("a")
    world.claim("a", present=False)
    world.dials()
    world.wait(0.9)
    assert world.names() == "a"
    world.wait(0.2)
    assert world.names() == ""
    assert world.told[1] == "a lost: no answer for 1 s"
    for _ in range(3):  # it may be parted from us, and not dead
        world.wait(0.1)
        (again,) = world.dials()
        world.presence.refused(again, "unreachable", "", world.now)
        world.wait(1)
    (again,) = world.dials()
    world.hear(again, card_of("a"))
    assert world.names() == "a"


def test_unreachable_means_gone_after_grace_unless_its_session_answers(world: World) -> None:
    world.meet("a")
    world.claim("a", present=False)
    (fresh,) = world.dials()
    world.presence.refused(fresh, "unreachable", "", world.now)
    world.alive.add(b"a" * 16)
    world.wait(5.0)
    assert world.names() == "a"
    assert len(world.dials()) == 5  # it is dialled again, once a grace
    world.alive.clear()
    world.wait(1.1)
    assert world.names() == ""


def test_refused_is_not_gone_while_its_session_answers(world: World) -> None:
    world.meet("a")
    world.alive.add(b"a" * 16)
    world.claim("a", present=False)
    (fresh,) = world.dials()
    world.presence.refused(fresh, "refused", "", world.now)
    assert world.names() == "a"


def test_whose_sockets_answer_has_longer_for_its_card(world: World) -> None:
    world.meet("a")
    world.claim("a", present=False)
    (fresh,) = world.dials()
    world.presence.reached(fresh, "memory://a/c", world.now)
    world.wait(ANSWER_LIMIT_REACHED - 1)
    assert world.names() == "a"
    world.wait(2)
    assert world.names() == ""


def test_a_withdrawal_that_comes_after_the_new_claim_is_no_reason_to_doubt(world: World) -> None:
    world.meet("a")
    world.claim("a")
    world.claim("a", present=False)
    assert world.dials() == []
    assert world.told == []
    world.claim("a", present=False)
    assert len(world.dials()) == 1


def test_the_end_of_our_own_connection_is_a_doubt(world: World) -> None:
    connection = world.meet("a")
    assert world.presence.refused(connection, "refused", "", world.now)
    assert world.told == ["?a"]
    assert len(world.dials()) == 1
    assert not world.presence.refused(12345, "refused", "", world.now)


def test_goodbye_is_left_at_once_and_without_a_doubt(world: World) -> None:
    connection = world.meet("a")
    world.hear(connection, card_of("a", 2, state="left"))
    assert world.names() == ""
    assert world.told == ["a left"]
    assert connection in world.hung_up()
    world.claim("a", present=False)
    world.wait(60)
    assert world.dials() == []


def test_goodbye_of_one_that_was_never_here_is_hung_up(world: World) -> None:
    connection = world.find("a")
    world.hear(connection, card_of("a", 2, state="left"))
    assert (world.names(), world.hung_up(), world.told) == ("", [connection], [])


def test_given_addresses_are_dialled_again_when_their_peer_is_gone(world: World) -> None:
    connection = world.find("a", given=True)
    world.hear(connection, card_of("a"))
    world.hear(connection, card_of("a", 2, state="left"))
    world.wait(0.1)
    (again,) = world.dials()
    world.hear(again, card_of("b"))
    assert world.names() == "b"


def test_given_addresses_of_one_that_is_here_already_are_remembered(world: World) -> None:
    connection = world.meet("a")
    world.presence.found(("memory://a/c",), "given", None, world.now, given=True)
    world.hear(connection, card_of("a", 2, state="left"))
    world.wait(0.1)
    assert len(world.dials()) == 1


# -- one way -------------------------------------------------------------------------------------


def test_who_never_subscribes_cannot_dial_us_and_gets_a_session(world: World) -> None:
    connection = world.find("a")
    world.hear(connection, card_of("a"))
    world.told.clear()
    world.wait(ONE_WAY_AFTER + 0.1)
    assert world.told == ["one-way a"]
    assert world.peer("a").one_way
    world.claim("a")
    assert not world.peer("a").one_way


def test_who_withdraws_and_answers_is_one_way_after_a_while(world: World) -> None:
    world.meet("a")
    world.claim("a", present=False)
    (fresh,) = world.dials()
    world.hear(fresh, card_of("a"))
    world.told.clear()
    world.wait(ONE_WAY_AFTER + 0.1)
    assert world.told == ["one-way a"]


def test_a_one_way_peer_that_is_silent_for_three_beats_is_doubted(world: World) -> None:
    connection = world.find("a")
    world.hear(connection, card_of("a"))
    for _ in range(5):
        world.wait(BEAT_EVERY)
        world.beat(connection)
    assert world.dials() == []
    world.told.clear()
    world.wait(5 * BEAT_EVERY)
    assert world.told[:2] == ["?a", "a lost: no answer for 1 s"]


def test_a_one_way_peer_is_doubted_when_its_session_ends(world: World) -> None:
    connection = world.find("a")
    world.hear(connection, card_of("a"))
    world.presence.session_ended(b"a" * 16, world.now)
    (fresh,) = world.dials()
    world.presence.refused(fresh, "refused", "", world.now)
    assert world.names() == ""


def test_a_peer_that_only_its_session_brought_goes_with_it(world: World) -> None:
    world.presence.heard_by_session(card_of("a"), world.now)
    assert world.names() == "a"
    world.wait(30)
    assert world.names() == "a"
    world.presence.heard_by_session(card_of("a", 2, pulls=("jobs",)), world.now)
    assert len(world.presence.roster.pullers("jobs")) == 1
    world.presence.session_ended(b"a" * 16, world.now)
    assert world.names() == ""
    assert world.told[-2] == "a lost: its session ended"


def test_the_end_of_a_session_is_no_news_of_one_that_subscribes(world: World) -> None:
    world.meet("a")
    world.presence.session_ended(b"a" * 16, world.now)
    world.presence.session_ended(b"z" * 16, world.now)
    assert world.told == []


# -- refusals ------------------------------------------------------------------------------------


def test_another_mesh_is_refused_and_told_once_with_the_repair(world: World) -> None:
    connection = world.find("a")
    for _ in range(3):
        world.hear(connection, card_of("a", mesh="theirs"))
        world.wait(60)
        (connection, *_) = world.dials() or [0]
    assert world.names() == ""
    assert world.told == [
        "memory://a/c refused: it belongs to mesh 'theirs'; start both with the same mesh= or MESHMQ_MESH"
    ]


def test_another_version_and_foreign_bytes_are_told_apart(world: World) -> None:
    first, second = world.find("a"), world.find("b")
    world.presence.hear(first, [b"card", b"MQ\x63\x01"], world.now)
    world.presence.hear(second, [b"card", b"HTTP/1.1 400"], world.now)
    assert world.hung_up() == [first, second]
    assert "version 99" in world.told[0]
    assert "does not speak MeshMQ" in world.told[1]


def test_a_peer_that_talks_nonsense_is_dialled_afresh(world: World) -> None:
    connection = world.meet("a")
    world.presence.hear(connection, [b"card", b"nonsense"], world.now)
    assert world.hung_up()[0] == connection
    assert "?a" in world.told
    (fresh,) = world.dials()
    world.hear(fresh, card_of("a"))
    assert world.names() == "a"


def test_a_wrong_secret_is_told_at_once_and_a_given_address_that_is_dead_after_a_while(world: World) -> None:
    first = world.find("a")
    world.presence.refused(first, "wrong_secret", "memory://a/c", world.now)
    assert "same MESHMQ_SECRET" in world.told[0]
    world.presence.found(("memory://b/c",), "given", None, world.now, given=True)
    for _ in range(3):
        world.wait(3)
        for connection in world.dials():
            world.presence.refused(connection, "refused", "memory://b/c", world.now)
    assert [sentence for sentence in world.told if "b/c" in sentence] == [
        "memory://b/c refused: nobody listens there; start the other node, or correct the address"
    ]


def test_a_full_roster_refuses_more_and_says_so() -> None:
    world = World(Settings(peers=1))
    world.meet("a")
    connection = world.find("b")
    world.hear(connection, card_of("b"))
    assert (world.names(), world.hung_up()) == ("a", [connection])
    assert "the roster is full" in world.told[0]
    world.claim("c")
    assert world.presence.strangers == 1
    world.presence.heard_by_session(card_of("d"), world.now)
    assert world.names() == "a"


def test_what_is_published_by_strangers_is_not_heard(world: World) -> None:
    world.hear(999, card_of("a"))
    world.presence.claim(b"nonsense", True, 0.0)
    assert (world.names(), world.presence.strangers) == ("", 1)
    world.presence.claim(b"card", True, 0.0)
    assert world.presence.strangers == 1


def test_a_dial_that_is_never_answered_is_given_up(world: World) -> None:
    connection = world.find("a")
    world.wait(6)
    assert world.hung_up()[0] == connection
    assert world.dials() != []


def test_who_is_refused_though_it_subscribes_is_dialled_again(world: World) -> None:
    world.meet("a")
    world.claim("a", present=False)
    (fresh,) = world.dials()
    world.claim("a")
    world.presence.refused(fresh, "refused", "", world.now)
    assert world.names() == ""
    world.wait(0.1)
    assert len(world.dials()) == 1
