"""What a worker holds to: the highest priority first, nothing that has expired, what is begun only for its lease."""

from __future__ import annotations

import pytest

from meshmq.core.hands import Hand
from meshmq.errors import WouldBlock
from meshmq.testing.books import audit_inbox
from meshmq.wire.batches import Terms
from meshmq.wire.verdicts import Verdict
from tests.core.jobs import Puller


def asked() -> Puller:
    """Return an inbox whose consumer has asked."""
    puller = Puller()
    puller.ask()
    puller.answers()
    return puller


def first_of(hand: Hand) -> int:
    return hand.batch.first + hand.start


def test_the_highest_priority_is_begun_first() -> None:
    puller = asked()
    for first, priority in ((1, 0), (2, 5), (3, 9), (4, 5), (5, 0)):
        puller.receive("p", first, terms=Terms(priority=priority))
    begun = []
    for _ in range(5):
        hand = puller.box.take("me", puller.now)
        begun.append(first_of(hand))
        puller.box.finish(hand, puller.now)
        audit_inbox(puller.box)
    assert begun == [3, 2, 4, 1, 5]


def test_what_has_expired_is_given_back_and_not_begun() -> None:
    puller = asked()
    puller.receive("p", 1, 3, terms=Terms(ttl=2.0))
    puller.receive("p", 4)
    puller.now = 2.0
    assert first_of(puller.box.take("me", puller.now)) == 4
    assert puller.given_back() == [(Verdict.EXPIRED, (1, 3))]
    assert puller.box.expired == 3


def test_what_waits_behind_a_handler_that_hangs_expires_by_itself() -> None:
    puller = asked()
    puller.receive("p", 1)
    puller.box.take("me", puller.now)
    puller.receive("p", 2, 3, terms=Terms(ttl=2.0))
    puller.now = 2.0
    puller.box.tick(puller.now)
    audit_inbox(puller.box)
    assert puller.given_back() == [(Verdict.EXPIRED, (2, 4))]
    assert puller.box.waiting == 0


def test_what_is_begun_in_time_may_take_longer() -> None:
    puller = asked()
    puller.receive("p", 1, terms=Terms(ttl=2.0))
    puller.now = 1.9
    hand = puller.box.take("me", puller.now)
    puller.now = 9.0
    puller.box.tick(puller.now)
    puller.box.finish(hand, puller.now)
    assert puller.acked() == [(1, 1)]


def test_a_job_with_a_lease_is_alone_in_its_hand_and_lost_when_it_runs_out() -> None:
    puller = asked()
    puller.receive("p", 1, 2, terms=Terms(lease=5.0))
    hand = puller.box.take("me", puller.now)
    assert (hand.start, hand.end) == (0, 1)
    assert puller.box.deadline is not None
    puller.now = 4.9
    puller.box.tick(puller.now)
    assert puller.given_back() == []
    puller.now = 5.0
    puller.box.tick(puller.now)
    audit_inbox(puller.box)
    # What was fetched for a consumer that hangs goes to others.
    assert puller.given_back() == [(Verdict.OVERDUE, (1, 1)), (Verdict.RETURNED, (2, 2))]
    assert (puller.box.overdue, puller.box.lapsed) == (1, 1)
    puller.box.finish(hand, puller.now)  # its consumer is done after all, and that counts no more
    audit_inbox(puller.box)
    assert puller.acked() == []
    assert puller.box.done == 0
    puller.ask()
    assert puller.receive("p", 3) == 1, "it asks again, and is given more"


def test_a_lease_is_renewed_from_the_moment_of_extending() -> None:
    puller = asked()
    puller.receive("p", 1, terms=Terms(lease=5.0))
    hand = puller.box.take("me", puller.now)
    for moment in (4.0, 8.0, 12.0):
        puller.now = moment
        puller.box.tick(puller.now)
        puller.box.leases.extend(hand, puller.now)
    puller.now = 16.9
    puller.box.tick(puller.now)
    puller.box.finish(hand, puller.now)
    assert puller.acked() == [(1, 1)]
    assert puller.box.deadline != 17.0, "a lease that is over is not looked after"


@pytest.mark.parametrize(
    ("theirs", "ours", "span"), [(5.0, None, 5.0), (None, 3.0, 3.0), (5.0, 3.0, 3.0), (2.0, 3.0, 2.0)]
)
def test_the_shorter_lease_of_pusher_and_puller_holds(theirs: float | None, ours: float | None, span: float) -> None:
    puller = asked()
    puller.receive("p", 1, terms=Terms(lease=theirs))
    puller.box.take("me", puller.now, lease=ours)
    puller.now = span - 0.01
    puller.box.tick(puller.now)
    assert puller.given_back() == []
    puller.now = span
    puller.box.tick(puller.now)
    assert puller.given_back() == [(Verdict.OVERDUE, (1, 1))]


def test_who_said_what_became_of_its_job_keeps_it() -> None:
    puller = asked()
    puller.receive("p", 1, terms=Terms(lease=5.0))
    hand = puller.box.take("me", puller.now)
    hand.said[0] = None
    puller.box.say(hand, 0, None)
    puller.now = 6.0
    puller.box.tick(puller.now)
    assert puller.acked() == [(1, 1)]
    assert puller.box.overdue == 0


def test_who_leaves_has_no_lease_any_more() -> None:
    puller = asked()
    puller.receive("p", 1, terms=Terms(lease=5.0))
    puller.box.take("me", puller.now)
    puller.box.leave("me")
    puller.now = 9.0
    puller.box.tick(puller.now)
    assert puller.given_back() == [(Verdict.LEFT, (1, 1))]
    with pytest.raises(WouldBlock):
        puller.box.take("me", puller.now)


def held(puller: Puller) -> Hand:
    """Have a consumer take a job with a lease of 5 s, hold it, and go on."""
    puller.receive("p", 1, terms=Terms(lease=5.0))
    hand = puller.box.take("me", puller.now)
    hand.kept.add(0)
    puller.box.keeping.input(hand, 0).kept = True
    puller.now = 3.0
    puller.box.finish(hand, puller.now)
    audit_inbox(puller.box)
    assert puller.box.keeping.handled == 1
    return hand


def test_a_job_that_is_held_and_forgotten_is_lost_with_its_lease() -> None:
    puller = asked()
    hand = held(puller)
    puller.given_back()  # what is held is told
    puller.now = 4.9
    puller.box.tick(puller.now)
    assert puller.given_back() == []
    assert puller.box.deadline == 5.0
    puller.now = 5.0
    puller.box.tick(puller.now)
    audit_inbox(puller.box)
    assert puller.given_back() == [(Verdict.OVERDUE, (1, 1))]
    assert (puller.box.keeping.handled, puller.box.lapsed, hand.said) == (0, 1, {0: Verdict.OVERDUE})


def test_who_holds_a_job_extends_its_lease_too() -> None:
    puller = asked()
    hand = held(puller)
    puller.given_back()
    puller.box.leases.extend(hand, puller.now)
    puller.now = 7.9
    puller.box.tick(puller.now)
    hand.said[0] = None
    puller.box.say(hand, 0, None)
    puller.now = 20.0
    puller.box.tick(puller.now)
    assert (puller.acked(), puller.given_back()) == ([(1, 1)], [])


def test_what_waits_for_its_outputs_has_no_lease() -> None:
    puller = asked()
    hand = held(puller)
    puller.given_back()
    one = puller.box.keeping.input(hand, 0)
    one.open = 1  # something was made of it, and is not safe
    hand.said[0] = None
    puller.box.say(hand, 0, None)
    puller.now = 20.0
    puller.box.tick(puller.now)
    assert (puller.acked(), puller.given_back(), puller.box.keeping.handled) == ([], [], 1)


def test_who_leaves_takes_its_leases_along() -> None:
    puller = asked()
    held(puller)
    puller.given_back()
    puller.box.leave("me")
    assert puller.given_back() == [(Verdict.LEFT, (1, 1))]
    puller.now = 20.0
    puller.box.tick(puller.now)
    assert (puller.box.lapsed, puller.given_back()) == (0, [])
