"""A session is one ordered stream for as long as both live, whatever its connections do."""

from __future__ import annotations

import pytest

from meshmq.core.session import DIAL_LIMIT, REDIAL_LIMIT
from meshmq.errors import ProtocolError
from meshmq.wire.frames import Hello, Kind, pack_head
from tests.core.pair import Pair, Side


@pytest.fixture
def pair() -> Pair:
    """Return two sides that have not met."""
    return Pair()


@pytest.fixture
def met() -> Pair:
    """Return two sides with a session that ``a`` dialled."""
    pair = Pair()
    pair.meet()
    return pair


def hello(side: Side, session: bytes = b"12345678", *, epoch: int = 0, resumed: bool = False) -> Hello:
    return Hello(side.id, side.name, "m", session, epoch, resumed)


def last_bye(side: Side) -> bytes:
    """Return the last thing a side sent, which is a BYE."""
    frames = [output[2] for output in side.outputs if output[0] == "send"][-1]
    assert isinstance(frames, list)
    assert frames[0][3] == Kind.BYE
    return bytes(frames[0])


# -- meeting -------------------------------------------------------------------------------------


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


# -- one ordered stream --------------------------------------------------------------------------


def test_what_is_put_comes_once_and_in_order_and_is_covered(met: Pair) -> None:
    met.a.put(b"1", b"2")
    met.b.put(b"x")
    met.a.put(b"3")
    assert not met.a.session.settled
    met.run(0.2)
    assert (met.b.read, met.a.read) == ([b"1", b"2", b"3"], [b"x"])
    assert met.a.session.settled
    assert met.b.session.settled


def test_after_a_cut_the_session_resumes_and_replays_exactly_what_did_not_come(met: Pair) -> None:
    met.a.put(b"1", b"2")
    met.b.put(b"x")
    met.collect()
    met.deliver()
    met.a.put(b"3")
    met.cut(met.a, met.b)
    met.a.session.put(Kind.OFFER, b"4")
    assert not met.a.session.pending
    met.run(0.5)
    met.a.session.pump(met.now, lambda: None)
    met.run(0.5)
    assert (met.b.read, met.a.read) == ([b"1", b"2", b"3", b"4"], [b"x"])
    assert met.a.told == met.b.told == ["up"]
    assert (met.a.session.replayed, met.b.session.replayed) == (2, 1)
    assert met.a.session.settled


def test_both_that_resume_at_once_agree_on_one_connection(met: Pair) -> None:
    for _ in range(5):
        met.a.put(b"a")
        met.b.put(b"b")
        met.cut(met.a, met.b)
        met.run(1.0)
    assert met.a.told == met.b.told == ["up"]
    assert (len(met.a.read), len(met.b.read)) == (5, 5)
    assert len(met.a.connections) == len(met.b.connections) == 1


def test_frames_that_are_lost_without_a_word_are_missed_pinged_for_and_replayed(met: Pair) -> None:
    met.mute.add(met.a)
    met.a.put(b"1")
    met.run(3.9)
    assert met.a.session.connection is not None
    assert not met.a.session.answering
    met.mute.clear()
    met.run(1.0)
    assert met.b.read == [b"1"]
    assert met.a.told == met.b.told == ["up"]


def test_a_ping_that_is_answered_ends_the_doubt(met: Pair) -> None:
    met.a.session.suspect(met.now)
    assert not met.a.session.answering
    met.settle()
    assert met.a.session.answering


def test_one_that_is_suspected_and_silent_is_dialled_after_grace(met: Pair) -> None:
    met.mute.add(met.b)
    met.a.session.suspect(met.now)
    met.run(0.9)
    assert met.a.dials == 1
    met.run(0.2)
    assert met.a.dials == 2


def test_a_suspicion_shortens_a_ping_that_waits_for_longer(met: Pair) -> None:
    met.mute.add(met.a)
    met.a.put(b"1")
    met.run(1.5)  # pinged at 1.0
    met.a.session.suspect(met.now)
    met.run(1.05)
    assert met.a.dials == 2


def test_a_quiet_session_asks_and_finds_that_the_other_has_ended_it(met: Pair) -> None:
    met.cut(met.b)
    met.refusing[met.a] = "refused"
    met.run(1.0)
    assert met.b.told[-1] == "the peer is gone"
    assert met.a.session.live
    met.run(8.0)
    assert met.a.told == ["up", "the peer said unknown"]


def test_who_was_not_told_of_the_end_is_dialled_once_more(met: Pair) -> None:
    met.cut(met.b)
    met.refusing[met.a] = "refused"
    met.run(0.01)
    met.refusing.clear()
    met.run(1.0)
    assert met.a.told == ["up", "the peer began a new session", "up"]
    assert met.a.session.id == met.b.session.id


def test_a_hole_breaks_the_connection_and_the_stream_goes_on(met: Pair) -> None:
    met.a.put(b"1")
    met.collect()
    met.under_way.clear()
    met.a.put(b"2")
    met.run(0.5)
    assert met.b.read == [b"1", b"2"]
    assert met.b.told == ["up"]


def test_a_repeat_is_dropped_and_what_is_received_said_again(met: Pair) -> None:
    met.a.put(b"1")
    met.collect()
    met.under_way.append(met.under_way[0])
    met.settle()
    assert met.b.read == [b"1"]
    assert met.b.session.deadline == met.now
    met.b.session.tick(met.now)
    met.settle()
    assert met.a.session.settled


def test_frames_of_a_connection_that_was_given_up_are_not_read(met: Pair) -> None:
    old = met.a.session.connection
    assert old is not None
    met.cut(met.a, met.b)
    met.run(0.5)
    assert not met.a.session.accept(old, Kind.OFFER, 1, 0, 30, met.now)


def test_covering_what_was_never_sent_is_an_error(met: Pair) -> None:
    connection = met.a.session.connection
    assert connection is not None
    with pytest.raises(ProtocolError, match="never sent"):
        met.a.session.accept(connection, Kind.COVER, 0, 7, 20, met.now)


def test_who_hurries_is_covered_at_once(met: Pair) -> None:
    met.a.session.hurry()
    met.a.put(b"1")
    met.a.session.hurry()
    met.settle()
    assert met.a.session.settled


# -- ends ----------------------------------------------------------------------------------------


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
