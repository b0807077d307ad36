"""Who does not belong here is refused, told once, with what repairs it."""

from __future__ import annotations

from meshmq.settings import Settings
from tests.core.host import World, card_of


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
