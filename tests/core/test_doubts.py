"""Who cannot be reached is doubted, dialled afresh, and gone if that fails."""

from __future__ import annotations

from meshmq.core.beats import BEAT_EVERY
from meshmq.core.roster import ONE_WAY_AFTER
from meshmq.core.rumours import ANSWER_LIMIT_REACHED
from tests.core.host import World, card_of


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


def test_who_is_refused_though_it_subscribes_is_dialled_again(world: World) -> None:
    world.meet("a")
    world.claim("a", present=False)
    (fresh,) = world.dials()
    world.claim("a")
    world.presence.refused(fresh, "refused", "", world.now)
    assert world.names() == ""
    world.wait(0.1)
    assert len(world.dials()) == 1


def test_who_is_refused_and_cannot_dial_us_is_dialled_again(world: World) -> None:
    connection = world.find("a")
    world.hear(connection, card_of("a"))
    world.wait(ONE_WAY_AFTER + 0.1)
    world.presence.session_ended(b"a" * 16, world.now)
    (fresh,) = world.dials()
    world.presence.refused(fresh, "refused", "", world.now)  # once, by whatever stands between
    assert world.names() == ""
    world.wait(0.1)
    (again,) = world.dials()
    world.hear(again, card_of("a"))
    assert world.names() == "a"


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
