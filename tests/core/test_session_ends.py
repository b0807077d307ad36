"""A session ends by goodbye, by a refusal, by another incarnation, or after grace without a connection."""

from __future__ import annotations

from meshmq.core.session import HELD_LIMIT
from meshmq.wire.frames import Kind, pack_head
from tests.core.pair import Pair, hello, last_bye


def test_goodbye_ends_both_sides(met: Pair) -> None:
    met.a.session.close(met.now)
    met.run(30.0)
    assert (met.a.told, met.b.told) == (["up", "we said left"], ["up", "the peer said left"])
    assert (met.a.session.live, met.b.session.live, met.b.dials) == (False, False, 0)
    assert repr(met.b.session) == "<Session with 61616161 idle, 0 uncovered>"


def test_grace_without_a_connection_ends_a_session(met: Pair) -> None:
    met.a.put(b"1")
    met.refusing = {met.a: "unreachable", met.b: "unreachable"}
    met.cut(met.a, met.b)
    met.run(0.9)
    assert met.a.session.live
    assert repr(met.a.session) == "<Session with 62626262 broken, 1 uncovered>"
    met.run(0.2)
    assert met.a.told == met.b.told == ["up", "no connection for 1 s"]
    assert met.a.session.settled  # what was kept is given up


def test_a_peer_whose_process_is_there_is_given_longer(met: Pair) -> None:
    met.a.put(b"1")
    met.a.present = met.b.present = True
    met.refusing = {met.a: "unreachable", met.b: "unreachable"}
    met.cut(met.a, met.b)
    met.run(HELD_LIMIT / 2)
    assert met.a.session.live
    met.refusing.clear()
    met.run(5.0)
    assert met.a.told == met.b.told == ["up"]
    assert met.b.read == [b"1"]


def test_a_peer_that_answers_nothing_is_given_up_in_the_end(met: Pair) -> None:
    met.a.present = met.b.present = True
    met.refusing = {met.a: "unreachable", met.b: "unreachable"}
    met.cut(met.a, met.b)
    met.run(HELD_LIMIT + 0.1)
    assert met.a.told == met.b.told == ["up", "no connection for 15 s"]


def test_a_new_session_starts_its_numbers_anew(met: Pair) -> None:
    met.a.put(b"1")
    met.settle()
    met.refusing = {met.a: "unreachable", met.b: "unreachable"}
    met.cut(met.a, met.b)
    met.run(1.5)
    met.refusing.clear()
    met.run(5.0)
    assert met.a.told == met.b.told == ["up", "no connection for 1 s", "up"]
    met.a.put(b"2")
    met.settle()
    assert met.b.read == [b"1", b"2"]
    assert met.a.session.epoch == met.b.session.epoch > 1


def test_a_dial_that_is_refused_ends_a_live_session_at_once(met: Pair) -> None:
    met.refusing[met.b] = "refused"
    met.cut(met.a)
    met.run(0.1)
    assert met.a.told == ["up", "the peer is gone"]


def test_resuming_a_session_that_the_other_has_not_ends_it(met: Pair) -> None:
    met.b.session.welcome(99, hello(met.a, b"another!", resumed=True), 0, met.now)
    assert b"unknown" in last_bye(met.b)
    met.cut(met.b)
    met.a.session.end("by hand", met.now)
    met.run(0.5)
    assert met.b.told == ["up", "the peer said unknown"]


def test_a_stale_hello_is_crossed_and_the_dialler_learns_the_epoch(met: Pair) -> None:
    met.b.session.welcome(99, hello(met.a, b"stale...", epoch=0), 0, met.now)
    assert b"crossed" in last_bye(met.b)
    assert met.b.told == ["up"]
    met.b.outputs.clear()
    met.a.session.end("by hand", met.now)
    met.b.session.end("by hand", met.now)
    met.b.session.epoch = 5
    met.run(1.0)
    met.a.session.want(met.now)
    met.run(1.0)
    assert met.a.session.id == met.b.session.id is not None
    assert met.a.session.epoch == 6


def test_a_peer_that_begins_anew_ends_the_old_session(met: Pair) -> None:
    met.b.session.welcome(99, hello(met.a, b"newer...", epoch=1), 0, met.now)
    assert met.b.told == ["up", "the peer began a new session", "up"]
    assert met.b.session.id == b"newer..."


def test_who_is_told_busy_tries_again_ever_later(pair: Pair) -> None:
    session = pair.a.session
    session.want(0.0)
    pauses = []
    for _ in range(8):
        assert session.deadline is not None
        pair.now = session.deadline
        session.tick(pair.now)
        assert session.dialling is not None
        session.bye(session.dialling, "busy", 0, pair.now)
        assert session.deadline is not None
        pauses.append(session.deadline - pair.now)
    assert pauses[-1] > 2 > 0.2 > pauses[0]


def test_a_session_that_never_lasts_is_dialled_ever_later(met: Pair) -> None:
    pauses = []
    for _ in range(6):
        connection = met.a.session.connection
        assert connection is not None
        met.a.session.bye(connection, "protocol", 0, met.now)
        met.a.session.want(met.now)
        assert met.a.session.deadline is not None
        pauses.append(met.a.session.deadline - met.now)
        met.run(6.0)
    assert pauses == sorted(pauses)
    assert pauses[-1] > 10 * pauses[0]


def test_goodbye_from_another_connection_changes_nothing(met: Pair) -> None:
    met.a.session.bye(12345, "left", 0, met.now)
    met.a.session.refused(12345, True, met.now)
    met.a.session.ended(12345, met.now)
    met.a.session.answered(12345, hello(met.b), 0, met.now)
    assert met.a.told == ["up"]
    assert met.a.session.answering


def test_only_the_first_frame_of_a_head_without_number_is_not_read(met: Pair) -> None:
    connection = met.b.session.connection
    assert connection is not None
    met.b.receive(connection, [pack_head(Kind.PING, 0, 0)])
    assert met.b.read == []
    met.settle()
    assert met.a.session.answering
