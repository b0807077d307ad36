"""What a careless or hostile peer does by meeting us: greeting, leaving, claiming, telling of others."""

from __future__ import annotations

from random import Random

import pytest

from meshmq.settings import Settings
from meshmq.wire.card import Card, own_string, pack_card, pack_peers
from meshmq.wire.frames import HEAD_BYTES, Hello, Kind, pack_bye, pack_head, pack_hello, unpack_hello
from tests.core.stranger import Stranger, byes, dialled, participant, pushing


def test_many_names_on_one_connection_are_one_session() -> None:
    node = participant()
    stranger = Stranger(node)
    for number in range(100):
        stranger.node_id = number.to_bytes(16, "big")
        stranger.hello()
    assert stranger.hung_up
    assert len(node.sessions) == 1


def test_no_more_sessions_than_peers() -> None:
    node = participant(Settings(peers=10))
    last = [Stranger(node, 2 * number + 1, number.to_bytes(16, "big")) for number in range(30)]
    for stranger in last:
        stranger.hello()
    assert len(node.sessions) == 10
    assert byes(last[-1]) == ["busy"]
    assert last[-1].hung_up


def test_sessions_of_strangers_that_went_are_forgotten() -> None:
    node = participant()
    for number in range(50):
        stranger = Stranger(node, 2 * number + 1, number.to_bytes(16, "big"))
        stranger.hello()
        node.ended(stranger.connection, 0.0)
    stranger.wait(3)
    assert not node.sessions
    assert not node.connections


def test_a_goodbye_on_a_connection_whose_session_is_over_is_not_worth_a_word() -> None:
    node = participant()
    stranger = Stranger(node)
    stranger.say(Kind.BYE, pack_bye("left"))
    assert stranger.hung_up
    assert stranger.heard == []
    assert not node.counts["foreign frames"]


def test_a_peer_that_only_its_session_brought_leaves_by_its_goodbye_and_is_lost_without() -> None:
    node = participant()
    first, second = Stranger(node), Stranger(node, 3, b"T" * 16)
    for stranger in (first, second):
        stranger.hello()
        stranger.card("jobs")
    first.say(Kind.BYE, pack_bye("left"))
    node.ended(second.connection, 0.0)
    second.wait(3)
    assert [event.kind for event in node.presence.roster.events] == ["joined", "joined", "left", "lost"]


def test_another_mesh_is_turned_away_and_the_log_is_not_flooded() -> None:
    node = participant()
    for number in range(2_000):
        stranger = Stranger(node, 2 * number + 1, number.to_bytes(16, "big"))
        hello = Hello(stranger.node_id, f"name-{number}", "other", b"sessions", 0, False)
        stranger.raw([pack_head(Kind.HELLO, 0, 0) + pack_hello(hello)])
        assert byes(stranger) == ["mesh"]
        assert stranger.hung_up
    assert len(node.words) <= 1_001


def test_a_worker_that_greets_and_leaves_over_and_over_is_dialled_ever_more_rarely() -> None:
    node, stranger = pushing(10)
    dials: list[float] = []
    stranger.say(Kind.BYE, pack_bye("left"))
    # Its card came over the session and went with it, so it has to be known in another way.
    card = pack_card(Card(b"S" * 16, "stranger", "m", 1, "up", (), ("memory://s/direct",), ("jobs",)))
    node.found(("memory://s/control",), "a test", None, stranger.now)
    while len(dials) < 1_000 and stranger.now < 30:
        stranger.settle()
        for output in stranger.others:
            if output[:1] == ("dial",) and output[2] == "control":
                node.hear(output[1], [b"card", card], stranger.now)
            elif output[:1] == ("dial",):
                dials.append(stranger.now)
                greeting = next(o[2][0] for o in stranger.others if o[:2] == ("send", output[1]))
                hello = unpack_hello(greeting[HEAD_BYTES:])
                answer = pack_hello(Hello(b"S" * 16, "stranger", "m", hello.session, hello.epoch, False))
                node.receive(output[1], [pack_head(Kind.HELLO, 0, 0) + answer], stranger.now)
                node.receive(output[1], [pack_head(Kind.BYE, 0, 0) + pack_bye("left")], stranger.now)
        stranger.others.clear()
        stranger.wait(0.01)
    assert 3 < len(dials) < 30


def test_crossing_that_is_always_ahead_does_not_make_us_run() -> None:
    node, stranger = pushing(10)
    stranger.say(Kind.BYE, pack_bye("left"))
    card = pack_card(Card(b"S" * 16, "stranger", "m", 1, "up", (), ("memory://s/direct",), ("jobs",)))
    node.found(("memory://s/control",), "a test", None, stranger.now)
    dials = 0
    while dials < 1_000 and stranger.now < 30:
        stranger.settle()
        for output in stranger.others:
            if output[:1] == ("dial",) and output[2] == "control":
                node.hear(output[1], [b"card", card], stranger.now)
            elif output[:1] == ("dial",):
                dials += 1
                node.receive(output[1], [pack_head(Kind.BYE, 0, 0) + pack_bye("crossed", dials * 10)], stranger.now)
        stranger.others.clear()
        stranger.wait(0.01)
    assert 3 < dials < 120


def test_claims_are_bounded_and_what_they_start_is_too() -> None:
    node = participant(Settings(peers=500))
    random = Random(1)
    for _ in range(3_000):
        node.claim(own_string(random.randbytes(16), [f"tcp://192.0.2.{random.randrange(256)}:1"] * 3), True, 0.0)
        node.outputs.clear()
    assert len(node.presence._strings) <= 500
    assert len(node.presence.roster.claims) <= 500
    node.tick(0.0)
    assert sum(output[0] == "dial" for output in node.outputs) <= 64


def test_a_claim_that_is_none_starts_nothing() -> None:
    node = participant()
    for string in (b"", b"card", b"\xff", b"\xff" + bytes(600), b"\xff" + b"i" * 16 + b"\xff\xfe", b"x" * 40):
        node.claim(string, True, 0.0)
        node.claim(string, False, 0.0)
    node.tick(0.0)
    assert not any(output[0] == "dial" for output in node.outputs)


def test_whole_lists_of_peers_are_rumours_and_no_peers() -> None:
    node = participant()
    node.found(("memory://s/control",), "a test", None, 0.0)
    node.tick(0.0)
    connection = dialled(node)
    node.hear(connection, [b"card", pack_card(Card(b"S" * 16, "stranger", "m", 1))], 0.0)
    own = own_string(node.node_id, node.presence.card.control)
    for start in range(0, 30_000, 1_000):
        told = [(number.to_bytes(16, "big"), [f"tcp://10.0.0.1:{number}"]) for number in range(start, start + 1_000)]
        node.hear(connection, [own, pack_peers(told)], 0.0)
    assert len(node.roster) == 1
    assert len(node.presence.rumours) <= 10_000
    assert node.presence.rumours.dropped == 20_000


@pytest.mark.parametrize(
    "body", [b"", b"MQ", b"MQ\x02\x63\x80", b"MQ\x02\x01\x80", b"MQ\x02\x01\xc1", b"MQ\x02\x05\x90"]
)
def test_a_word_on_the_control_link_that_is_none_ends_the_dial(body: bytes) -> None:
    node = participant()
    node.found(("memory://s/control",), "a test", None, 0.0)
    node.tick(0.0)
    connection = dialled(node)
    node.hear(connection, [b"card", body], 0.0)
    assert ("hang_up", connection) in node.outputs
    assert not node.roster
