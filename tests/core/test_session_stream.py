"""A session is one ordered stream without loss or repeats, whatever its connections do."""

from __future__ import annotations

import pytest

from meshmq.errors import ProtocolError
from meshmq.wire.batches import Terms, pack_batch, unpack_batch
from meshmq.wire.frames import Kind
from meshmq.wire.row import Row
from tests.core.pair import Pair


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
    assert met.a.session.connection is None
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


def test_jobs_that_are_replayed_are_as_old_as_they_are_by_then(met: Pair) -> None:
    frames = pack_batch("jobs", b"o" * 16, 1, Row.of([b"job"]), attempt=1, backlog=0, held=1.0, terms=Terms(None, 5.0))
    waiting = [(Kind.JOBS, frames)]
    met.mute.add(met.a)
    met.a.session.pump(met.now, lambda: waiting.pop() if waiting else None)
    met.run(2.0)
    met.mute.clear()
    met.cut(met.a, met.b)
    met.run(2.0)
    (body,) = met.b.read
    batch = unpack_batch([body])
    assert batch.held == pytest.approx(3.0, abs=0.5)
    assert batch.terms.ttl == pytest.approx(3.0, abs=0.5)
