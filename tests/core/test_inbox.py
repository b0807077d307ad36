"""An inbox gives jobs out in hands, tells pushers what became of them, and asks for more."""

from __future__ import annotations

import pytest

from meshmq.core.inbox import COLLECT_AFTER, IDLE_AFTER
from meshmq.core.sources import Sources
from meshmq.errors import ProtocolError, WouldBlock
from meshmq.wire.frames import Acks
from meshmq.wire.verdicts import Verdict
from tests.core.jobs import ORIGIN, Puller

# -- asking --------------------------------------------------------------------------------------


def test_nothing_is_granted_before_somebody_asks() -> None:
    puller = Puller()
    puller.box.offered(b"p", 5)
    assert puller.answers() == []
    with pytest.raises(WouldBlock):
        puller.box.take("me", 0.0)
    ((peer, grant),) = puller.answers()
    assert peer == "p"
    assert grant[0] == 100
    assert puller.answers() == []


def test_what_was_never_granted_is_an_error_and_a_limit_that_sank_is_none() -> None:
    puller = Puller(prefetch=3)
    puller.ask()
    puller.box.leave("me")  # nobody asks any more: the limit sinks
    ((_, grant),) = puller.answers()
    assert grant[0] == 0
    puller.receive("p", 1, 3)
    with pytest.raises(ProtocolError, match="more jobs of 'jobs' than it was granted"):
        puller.receive("p", 4)


def test_the_window_is_shared_among_pushers_that_have_a_backlog() -> None:
    puller = Puller(prefetch=100)
    for pusher in "abcd":
        puller.box.offered(pusher.encode(), 5 if pusher in "ab" else 0)
    puller.box.look(0.0)
    grants = {peer: grant[0] for peer, grant in puller.answers()}
    assert grants == {"a": 50, "b": 50, "c": 1, "d": 1}


def test_backlogs_are_counted_once_for_all_pushers(puller: Puller, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def busy(self: Sources) -> int:
        counted.append(self)
        return len(self)

    for number in range(50):
        puller.box.offered(b"%d" % number, 5)
    monkeypatch.setattr(Sources, "busy", property(busy))
    assert len(puller.box.answers(0.0)) == 50
    assert len(counted) == 1


def test_who_only_looks_asks_for_one_more_until_somebody_takes() -> None:
    puller = Puller(prefetch=1)
    puller.box.offered(b"p", 5)
    for number in (1, 2):
        puller.box.look(0.0)
        ((_, grant),) = puller.answers()
        assert grant[0] == number
        puller.receive("p", number)
        puller.box.take(f"consumer {number}", 0.0)
        ((_, acks),) = puller.answers()
        assert isinstance(acks, Acks)
        assert acks.jobs == number


def test_more_is_asked_for_when_half_is_done(puller: Puller) -> None:
    puller.receive("p", 1, 60)
    puller.box.take("me", 0.0, limit=40)
    puller.box.finish(next(iter(puller.box._hands)), 0.0)
    ((_, acks),) = puller.answers()
    assert isinstance(acks, Acks)
    assert acks.jobs == 140
    assert acks.done == ((ORIGIN, 40, ((1, 40),)),)


# -- taking --------------------------------------------------------------------------------------


def test_jobs_are_taken_in_order_and_asking_for_the_next_acks_the_one_before(puller: Puller) -> None:
    assert puller.receive("p", 1, 3) == 3
    for number in (1, 2, 3):
        hand = puller.box.take("me", 0.0, limit=1)
        assert bytes(hand.batch.body(hand.position)) == b"job %d" % number
        assert puller.acked() == []
        puller.box.finish(hand, float(number))
        assert puller.acked() == [(number, number)]
    assert repr(puller.box) == "<Inbox 'jobs' 0 waiting, 0 in hand>"
    assert puller.box.done == 3


def test_quick_hands_are_told_together_and_the_last_at_once(puller: Puller) -> None:
    puller.receive("p", 1, 4)
    for number, told in ((1, [(1, 1)]), (2, []), (3, [])):
        puller.box.finish(puller.box.take("me", 0.0, limit=1), 0.0001 * number)
        assert puller.acked() == told
    assert puller.box.deadline is not None
    puller.box.tick(puller.box.deadline)
    assert puller.acked() == [(2, 3)]
    puller.box.finish(puller.box.take("me", 0.02, limit=1), 0.0201)
    assert puller.acked() == [(4, 4)]


def test_a_quick_consumer_gets_many_at_once_and_one_of_several_only_one(puller: Puller) -> None:
    puller.box.pace.observe(1_000, 0.01)
    puller.receive("p", 1, 20)
    hand = puller.box.take("me", 0.0)
    assert (hand.end - hand.start) == 20
    puller.box.finish(hand, 0.0)
    puller.answers()
    puller.receive("p", 21, 20)
    puller.box.look(0.0)  # somebody else wants one, too
    hand = puller.box.take("me", 0.0)
    assert (hand.end - hand.start) == 1


def test_who_is_slower_than_it_was_is_left_the_job_it_has(puller: Puller) -> None:
    puller.box.pace.observe(1_000, 0.01)
    puller.receive("p", 1, 5)
    puller.receive("p", 6, 2)
    hand = puller.box.take("me", 1.0)
    assert (hand.step(), hand.step()) == (1, 2)
    assert puller.acked() == []
    assert puller.box.deadline == 1.0 + COLLECT_AFTER
    assert puller.box.tick(1.0 + COLLECT_AFTER) == 2
    ((_, acks),) = puller.answers()
    assert isinstance(acks, Acks)
    assert acks.done == ((ORIGIN, 3, ((1, 2),)),)
    assert (puller.box.waiting, hand.step()) == (4, -1)
    assert puller.box.deadline is None
    other = puller.box.take("other", 1.1)
    assert (other.batch.first, other.start) == (1, 3)
    puller.box.finish(hand, 1.2)
    assert puller.acked() == [(3, 3)]


def test_a_slow_hand_is_collected_though_others_are_quick(puller: Puller) -> None:
    puller.receive("p", 1)
    puller.box.take("slow", 1.0)
    puller.receive("p", 2)
    puller.box.finish(puller.box.take("quick", 1.0 + COLLECT_AFTER / 2), 1.0 + COLLECT_AFTER / 2)
    assert puller.box.deadline == 1.0 + COLLECT_AFTER


def test_the_last_job_begun_is_told(puller: Puller) -> None:
    puller.receive("p", 1, 2)
    puller.box.take("me", 0.0)
    ((_, acks),) = puller.answers()
    assert isinstance(acks, Acks)
    assert acks.done == ((ORIGIN, 1, ()),)


def test_a_handful_is_begun_and_acked_as_one(puller: Puller) -> None:
    puller.receive("p", 1, 5)
    hand = puller.box.take("me", 0.0, limit=3)
    assert (hand.floor, hand.position, hand.end) == (0, 2, 3)
    puller.box.finish(hand, 0.0)
    assert puller.acked() == [(1, 3)]
    assert puller.box.waiting == 2


# -- giving back ---------------------------------------------------------------------------------


def test_who_leaves_gives_back_the_begun_as_left_and_the_rest_as_never_begun(puller: Puller) -> None:
    puller.box.pace.observe(1_000, 0.01)
    puller.receive("p", 1, 20)
    hand = puller.box.take("me", 0.0)
    for _ in range(6):
        hand.step()
    puller.box.leave("me")
    returned, left = Verdict.RETURNED, Verdict.LEFT
    assert puller.given_back() == [(left, (7, 7)), (returned, (8, 20))]
    assert hand.step() == -1
    puller.box.finish(hand, 0.0)  # too late to say anything
    assert puller.answers() == []


def test_what_was_done_before_leaving_is_acked(puller: Puller) -> None:
    puller.box.pace.observe(1_000, 0.01)
    puller.receive("p", 1, 5)
    hand = puller.box.take("me", 0.0)
    hand.step()
    puller.box.leave("me")
    assert puller.acked() == [(1, 1)]


def test_a_nack_goes_back_at_once_and_is_not_acked_after(puller: Puller) -> None:
    puller.receive("p", 1)
    hand = puller.box.take("me", 0.0)
    hand.said[0] = Verdict.REFUSED
    puller.box.say(hand, 0, Verdict.REFUSED, 0.5)
    assert puller.given_back() == [(Verdict.REFUSED, (1, 1))]
    puller.box.finish(hand, 0.0)
    assert puller.acked() == []
    assert puller.box.refused == 1


def test_an_explicit_ack_is_told_once(puller: Puller) -> None:
    puller.receive("p", 1, 2)
    hand = puller.box.take("me", 0.0, limit=2)
    hand.said[1] = None
    puller.box.say(hand, 1, None)
    assert puller.acked() == [(2, 2)]
    puller.box.finish(hand, 0.0)
    assert puller.acked() == [(1, 1)]


def test_what_is_fetched_goes_back_when_nobody_asks_for_a_while(puller: Puller) -> None:
    puller.box.rest("me", 0.0)
    puller.receive("p", 1, 3)
    assert puller.box.deadline == IDLE_AFTER
    puller.box.tick(IDLE_AFTER)
    assert puller.given_back() == [(Verdict.RETURNED, (1, 3))]
    assert puller.box.deadline is None
    puller.receive("p", 4, 1)  # under way when the limit sank
    assert puller.given_back() == [(Verdict.RETURNED, (4, 4))]


def test_who_rests_with_a_job_in_hand_keeps_it(puller: Puller) -> None:
    puller.receive("p", 1, 2)
    hand = puller.box.take("me", 0.0)
    puller.box.rest("me", 0.0)
    puller.box.tick(IDLE_AFTER)
    puller.box.finish(hand, 1.5)
    assert puller.acked() == [(1, 1)]
    assert puller.box.waiting == 1
    puller.box.tick(2 * IDLE_AFTER)  # it still asks for nothing
    assert puller.given_back() == [(Verdict.RETURNED, (2, 2))]


def test_after_standing_still_only_what_was_begun_stays(puller: Puller) -> None:
    puller.box.pace.observe(1_000, 0.01)
    puller.receive("p", 1, 5)
    hand = puller.box.take("me", 0.0)
    puller.receive("p", 6, 2)
    puller.box.forget_unbegun()
    assert puller.given_back() == [(Verdict.RETURNED, (2, 5)), (Verdict.RETURNED, (6, 7))]
    assert hand.step() == -1
    puller.box.finish(hand, 9.0)
    assert puller.acked() == [(1, 1)]


def test_who_ends_finishes_what_it_has_begun_and_is_sent_nothing_more(puller: Puller) -> None:
    puller.box.pace.observe(1_000, 0.01)
    puller.receive("p", 1, 5)
    hand = puller.box.take("me", 0.0)
    puller.box.end("me")
    assert puller.given_back() == [(Verdict.RETURNED, (2, 5))]
    puller.receive("p", 6, 2)  # on its way already
    assert puller.given_back() == [(Verdict.RETURNED, (6, 7))]
    assert hand.step() == -1
    puller.box.finish(hand, 9.0)
    assert puller.acked() == [(1, 1)]


@pytest.mark.parametrize("way", ["finish", "leave", "forget", "collect", "lost"])
def test_what_cannot_be_decoded_is_given_back_once_though_it_was_found_ahead(puller: Puller, way: str) -> None:
    puller.box.pace.observe(1_000, 0.01)
    puller.receive("p", 1, 5)
    hand = puller.box.take("me", 0.0)
    hand.said[2] = Verdict.REJECTED
    puller.box.say(hand, 2, Verdict.REJECTED)
    if way == "collect":
        assert puller.box.tick(COLLECT_AFTER) == 3
        puller.box.rest("me", 0.0)
        puller.box.leave("me")
    elif way == "finish":
        puller.box.finish(hand, 0.0)
    elif way == "leave":
        puller.box.leave("me")
    elif way == "forget":
        puller.box.forget_unbegun()
    else:
        puller.box.lost(b"p")
    assert not hand.holds(ORIGIN, 5)  # should this one be none, too, whoever has it now says so
    back = [pair for verdict, pair in puller.given_back() if verdict is Verdict.RETURNED]
    assert back == ([] if way == "lost" else [(2, 2), (4, 5)])
