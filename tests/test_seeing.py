"""What a node counts of its queues: times are the test's, so λ, μ, ρ, L and W are known beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from meshmq.core.busy import BusyTime
from meshmq.core.participant import Participant
from meshmq.errors import WouldBlock
from meshmq.seeing import statistics
from meshmq.wire.verdicts import Verdict
from tests.core import stranger
from tests.core.village import Village, numbered


@pytest.fixture
def alone() -> Participant:
    """A node that works on its own jobs: nothing takes time but what the test says."""
    return stranger.participant()


def of(participant: Participant, now: float, queue: str = "jobs") -> dict[str, Any]:
    counters = statistics(participant, now, {})["queues"][queue]
    assert isinstance(counters, dict)
    return counters


def push(participant: Participant, count: int, now: float) -> None:
    for body in numbered(count):
        participant.push("jobs", body, (), None, now)


def work(participant: Participant, now: float, seconds: float, consumer: str = "me") -> None:
    """Do the next job, from ``now`` on."""
    hand = participant.take("jobs", consumer, now, 1)
    participant.finish("jobs", hand, now + seconds)


def test_busy_time_counts_what_goes_on_still_and_nothing_twice() -> None:
    busy = BusyTime()
    busy.note(1.0, busy=False)
    assert busy.until(5.0) == 0.0
    for moment in (5.0, 6.0):
        busy.note(moment, busy=True)
    assert busy.until(7.0) == 2.0
    for moment in (8.0, 9.0):
        busy.note(moment, busy=False)
    assert busy.until(20.0) == 3.0
    busy.note(20.0, busy=True)
    assert busy.until(21.0) == 4.0


def test_utilisation_is_the_share_of_the_time_at_work_at_both_ends(alone: Participant) -> None:
    alone.open_queue("jobs", None, 0.0)
    with pytest.raises(WouldBlock):
        alone.take("jobs", "me", 0.0, 1)  # nothing is here; it asks
    for moment in (10.0, 50.0):
        push(alone, 1, moment)
        work(alone, moment, 10.0)
    for end in of(alone, 100.0).values():
        assert (end["λ"], end["μ"], end["ρ"]) == (0.02, 0.1, 0.2)
        assert end["λ"] / end["μ"] == pytest.approx(end["ρ"])
        assert (end["W"], end["L"]) == (10.0, 0.2)


def test_jobs_that_nobody_takes_are_no_work(alone: Participant) -> None:
    push(alone, 3, 1.0)
    pushed = of(alone, 10.0)["push"]
    assert (pushed["depth"], pushed["in_flight"]) == (3, 0)
    assert (pushed["λ"], pushed["μ"], pushed["ρ"]) == (0.3, 0.0, 0.0)


def test_a_job_in_hand_is_work_before_it_is_done(alone: Participant) -> None:
    alone.open_queue("jobs", None, 0.0)
    push(alone, 1, 0.0)
    alone.look("jobs", 0.0)
    alone.take("jobs", "me", 4.0, 1)
    ends = of(alone, 10.0)
    assert ends["push"]["ρ"] == 1.0  # it came to the worker at once, and waited there
    assert ends["pull"]["ρ"] == 0.6
    alone.leave("jobs", "me", 10.0)
    assert of(alone, 20.0)["pull"]["ρ"] == 0.3


def test_jobs_that_pause_after_a_nack_are_no_work(alone: Participant) -> None:
    alone.open_queue("jobs", None, 0.0)
    push(alone, 1, 0.0)
    alone.look("jobs", 0.0)
    hand = alone.take("jobs", "me", 0.0, 1)
    hand.said[hand.position] = Verdict.REFUSED
    alone.judge("jobs", hand, hand.position, Verdict.REFUSED, 1_000.0, 2.0)
    alone.finish("jobs", hand, 2.0)
    ends = of(alone, 8.0)
    assert (ends["push"]["depth"], ends["push"]["refused"]) == (1, 1)
    assert ends["push"]["ρ"] == ends["pull"]["ρ"] == 0.25


def test_two_at_work_at_once_are_not_counted_twice(alone: Participant) -> None:
    alone.open_queue("jobs", 2, 0.0)
    push(alone, 2, 0.0)
    alone.look("jobs", 0.0)
    hands = [alone.take("jobs", consumer, 0.0, 1) for consumer in ("one", "other")]
    for hand in hands:
        alone.finish("jobs", hand, 5.0)
    pulled = of(alone, 10.0)["pull"]
    assert (pulled["done"], pulled["ρ"], pulled["μ"]) == (2, 0.5, 0.4)


def test_between_two_nodes_what_is_on_its_way_is_work_for_who_pushed() -> None:
    village = Village(2)
    village.open(1)
    village.push(0, b"first")
    hand = village.next(1)
    village.run(3)
    village.finish(1, hand)
    village.run(3)
    pushed, pulled = (village.do(index, lambda node, now: (of(node, now), now - node.opened_at)) for index in (0, 1))
    at_pusher = pushed[0]["push"]["ρ"] * pushed[1]
    at_puller = pulled[0]["pull"]["ρ"] * pulled[1]
    assert 3 <= at_puller < at_pusher < 3.5


def test_what_a_queue_counted_outlives_its_receivers_and_its_sessions() -> None:
    village = Village(2)
    for done in (3, 5):
        village.open(1)
        village.push(0, *numbered(done))
        assert len(village.work_off(1)) == done
        village.leave(1)
        before = village.do(1, of)["pull"]
        village.close(1)
        village.run(0.1)
        after = village.do(1, of)["pull"]
        assert (after["received"], after["done"]) == (before["received"], before["done"])
    village.sim.crash(village.sim.nodes[0])
    village.run(10)
    assert not village[1].roster
    assert village.do(1, of)["pull"]["done"] == 8
    village.open(1)
    pulled = village.do(1, of)["pull"]
    assert (pulled["received"], pulled["done"], pulled["waiting"]) == (8, 8, 0)
    assert pulled["W"] == before["W"]


def test_a_queue_that_is_pulled_no_more_is_not_at_work(alone: Participant) -> None:
    alone.open_queue("jobs", None, 0.0)
    push(alone, 2, 0.0)
    alone.look("jobs", 0.0)
    work(alone, 1.0, 2.0)
    alone.take("jobs", "me", 3.0, 1)
    alone.leave("jobs", "me", 5.0)
    alone.close_queue("jobs", 5.0)
    assert of(alone, 10.0)["pull"]["ρ"] == 0.4
    assert of(alone, 20.0)["pull"]["ρ"] == 0.2
