"""What comes again is done once and confirmed again; what a lost pusher sent is forgotten, unless it was begun."""

from __future__ import annotations

import pytest

from meshmq.core.receipts import Receipts
from meshmq.wire.verdicts import Verdict
from tests.core.jobs import Puller


def test_a_repeat_of_what_was_done_here_is_dropped_and_acked_again(puller: Puller) -> None:
    puller.receive("p", 1, 3)
    puller.box.finish(puller.box.take("me", 0.0, limit=3), 0.0)
    puller.answers()
    assert puller.receive("p", 2, 3, attempt=2) == 1
    assert puller.acked() == [(2, 3)]
    assert (puller.box.repeats, puller.box.waiting) == (2, 1)


def test_a_repeat_of_what_is_in_hand_waits_for_it(puller: Puller) -> None:
    puller.receive("p", 1)
    hand = puller.box.take("me", 0.0)
    puller.box.lost(b"p")
    assert puller.answers() == []
    puller.ask("q")
    assert puller.receive("q", 1, attempt=2) == 0
    puller.box.offered(b"p", 1)
    puller.answers()
    assert puller.receive("p", 1, attempt=2) == 0
    puller.box.finish(hand, 0.0)
    assert puller.acked() == [(1, 1), (1, 1)]  # both are told: two stages may have made the same job


def test_a_repeat_of_what_was_done_just_before_its_pusher_was_lost_is_dropped(puller: Puller) -> None:
    puller.box.pace.observe(1_000, 0.01)
    puller.receive("p", 1, 3)
    hand = puller.box.take("me", 0.0)
    hand.step()
    puller.box.lost(b"p")  # job 1 is done, and nobody has looked yet
    puller.ask()
    assert puller.receive("p", 1, 2, attempt=2) == 0
    puller.box.finish(hand, 0.0)
    assert puller.acked() == [(1, 2)]


def test_a_job_refused_by_word_is_done_again_though_its_hand_is_not_finished(puller: Puller) -> None:
    puller.receive("p", 1)
    hand = puller.box.take("me", 0.0)
    hand.said[0] = Verdict.REFUSED
    puller.box.say(hand, 0, Verdict.REFUSED)
    assert puller.receive("p", 1, attempt=2) == 1


def test_what_a_lost_pusher_sent_is_forgotten_unless_begun(puller: Puller) -> None:
    puller.box.pace.observe(1_000, 0.01)
    puller.receive("p", 1, 5)
    hand = puller.box.take("me", 0.0)
    puller.receive("p", 6, 5)
    puller.box.lost(b"p")
    puller.box.lost(b"p")
    assert (puller.box.waiting, hand.step()) == (0, -1)
    puller.box.finish(hand, 0.0)
    assert puller.answers() == []  # there is no session to say it in
    puller.ask()
    assert puller.receive("p", 1, attempt=2) == 0  # and should it come again, it is confirmed
    assert puller.acked() == [(1, 1)]


def test_what_a_job_of_a_lost_session_came_to_is_told_in_the_next(puller: Puller) -> None:
    puller.receive("p", 1)
    hand = puller.box.take("me", 0.0)
    puller.box.lost(b"p")
    puller.ask()
    puller.box.finish(hand, 0.0)
    assert puller.acked() == [(1, 1)]


def test_the_origin_is_forgotten_that_was_silent_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.core.receipts.ORIGINS_KEPT", 2)
    receipts = Receipts()
    for number, origin in enumerate((b"a", b"b", b"a", b"c")):
        receipts.remember(origin, number, number)
    assert [receipts.knows(b"a", 2), receipts.knows(b"b", 1), receipts.knows(b"c", 3)] == [True, False, True]


def test_only_so_many_origins_are_remembered(puller: Puller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.core.receipts.ORIGINS_KEPT", 0)
    puller.receive("p", 1)
    puller.box.finish(puller.box.take("me", 0.0), 0.0)
    assert len(puller.box._receipts._done) <= 1
