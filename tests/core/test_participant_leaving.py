"""Workers that leave, die, stand still or are cut off lose nothing and repeat nothing unflagged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshmq.core.participant import Participant
from meshmq.wire.frames import Kind, unpack_acks
from tests.core.stranger import jobs, pulling
from tests.core.village import Village, body, numbered


def test_break_gives_back_the_job_in_hand_flagged_and_the_rest_unflagged() -> None:
    village = Village(3)
    village.open(1, prefetch=20)
    village.take(1)
    village.push(0, *numbered(20))
    village.run(0.5)
    for _ in range(6):
        village.finish(1, village.next(1))
    village.next(1)
    village.leave(1)
    village.open(2)
    assert sorted(village.work_off(2)) == sorted([(b"6", 2), *((name, 1) for name in numbered(20)[7:])])


def test_a_killed_worker_loses_nothing_and_what_it_had_is_flagged() -> None:
    village = Village(3)
    village.open(1, prefetch=5)
    village.take(1)
    village.push(0, *numbered(10))
    village.run(0.5)
    village.next(1)
    village.open(2)
    village.sim.crash(village.sim.nodes[1])
    done = village.work_off(2)
    assert sorted(name for name, _ in done) == sorted(numbered(10))
    assert sorted(name for name, attempt in done if attempt == 2) == numbered(5)
    assert any("took back 5 jobs of 'jobs' from n1" in sentence for sentence in village.said)
    assert "n1 lost: its process is gone" in village.said


def test_a_job_that_kills_its_worker_takes_no_neighbour_along_twice() -> None:
    village = Village(4)
    for index in (1, 2, 3):
        village.open(index, prefetch=50)
        village.take(index)
    village.push(0, *numbered(120))
    attempts: dict[bytes, int] = {}
    for index in (1, 2):
        village.run(0.2)
        for _ in range(400):
            hand = village.take(index)
            if hand is None:
                village.run(0.01)
                continue
            attempts[body(hand)] = hand.batch.attempt
            if body(hand) == b"60":
                village.sim.crash(village.sim.nodes[index])
                break
            village.finish(index, hand)
    for name, attempt in village.work_off(3):
        attempts[name] = max(attempts.get(name, 0), attempt)
    assert len(attempts) == 120
    assert max(attempt for name, attempt in attempts.items() if name != b"60") <= 2


def test_goodbye_leaves_no_suspicion_and_no_peer() -> None:
    village = Village(3)
    village.open(1, prefetch=5)
    village.take(1)
    village.push(0, *numbered(5))
    village.run(0.5)
    village.leave(1)
    village.do(1, lambda node, now: node.farewell(now))
    village.run(0.5)
    assert [peer.card.name for peer in village[0].roster.values()] == ["n2"]
    assert "n1 left" in village.said
    village.open(2)
    assert village.work_off(2) == [(name, 1) for name in numbered(5)]


def test_who_drains_gets_no_new_work() -> None:
    village = Village(3)
    village.open(1)
    village.take(1)
    village.do(1, lambda node, now: node.drain(now))
    village.run(0.5)
    village.push(0, *numbered(5))
    village.run(0.5)
    assert village.take(1) is None
    village.open(2)
    assert len(village.work_off(2)) == 5


def test_a_cut_connection_loses_nothing_and_repeats_nothing() -> None:
    village = Village(2)
    village.open(1, prefetch=20)
    done: list[tuple[bytes, int]] = []
    village.push(0, *numbered(100))
    for _ in range(100):
        hand = village.next(1)
        done.append((body(hand), hand.batch.attempt))
        if len(done) % 20 == 5:
            for wire in list(village.sim.ether.directs.values()):
                village.sim.storm.reset(wire)
        village.finish(1, hand)
    village.run(5)
    assert done == [(name, 1) for name in numbered(100)]
    assert village[0].outboxes["jobs"].depth == 0
    assert not [sentence for sentence in village.said if "come back" in sentence]


def test_what_is_owed_counts_what_was_told_and_not_yet_received() -> None:
    village = Village(2)
    village.open(1)
    village.push(0, b"one")
    village.finish(1, village.next(1))
    assert village.do(1, lambda node, now: node.owes(now))
    village.run(0.1)
    assert not village.do(1, lambda node, now: node.owes(now))
    assert not village.do(0, lambda node, now: node.owes(now))


def test_a_living_worker_with_a_job_is_at_work_and_a_dead_one_is_not() -> None:
    village = Village(2)
    village.open(1)
    village.push(0, b"one")
    village.next(1)
    village.run(0.1)
    assert village[0].at_work()
    village.sim.crash(village.sim.nodes[1])
    village.run(3)
    assert not village[0].at_work()
    assert village[0].outboxes["jobs"].waiting == 1


def test_who_stood_still_gives_back_what_it_has_not_begun() -> None:
    village = Village(3)
    village.open(1, prefetch=10)
    village.take(1)
    village.push(0, *numbered(10))
    village.run(0.5)
    held = village.next(1)
    village.sim.stall(village.sim.nodes[1])
    village.run(25)
    village.open(2)
    village.sim.resume(village.sim.nodes[1])
    done = village.work_off(2)
    village.finish(1, held)
    village.run(1)
    assert sorted(name for name, _ in done) == numbered(10)[1:]
    assert village[0].outboxes["jobs"].depth == 0


def test_what_comes_after_our_goodbye_is_no_foreign_frame() -> None:
    village = Village(2)
    village.open(1, prefetch=50)
    village.take(1)
    village.push(0, b"first")
    village.run(0.5)
    village.push(0, *numbered(30))
    village.leave(1)
    village.do(1, lambda node, now: node.farewell(now))
    village.run(1)
    assert not village[1].counts["foreign frames"]
    assert not [sentence for sentence in village.said if "dropped a frame" in sentence]


@pytest.mark.parametrize("seed", range(4))  # either may have the smaller id
def test_the_session_of_one_that_nobody_can_dial_survives_a_cut(seed: int) -> None:
    village = Village(2, meet=False, hidden=(1,), seed=seed)
    village.find(1, 0)
    village.run(10)
    village.open(1, prefetch=5)
    village.push(0, *numbered(10))
    done = []
    for _ in range(10):
        hand = village.next(1)
        done.append((body(hand), hand.batch.attempt))
        if len(done) in (3, 7):
            for wire in list(village.sim.ether.directs.values()):
                village.sim.storm.reset(wire)
            village.run(0.5)
        village.finish(1, hand)
    village.run(5)
    assert done == [(name, 1) for name in numbered(10)]
    assert village[0].outboxes["jobs"].depth == 0
    assert [peer.card.name for peer in village[0].roster.values()] == ["n1"]


def test_standing_still_right_after_something_came_is_noticed_too() -> None:
    village = Village(2)
    village.open(1, prefetch=10)
    village.take(1)
    village.push(0, *numbered(10))
    village.run(0.5)
    worker = village[1]
    assert worker.inboxes["jobs"].waiting == 10
    assert worker.deadline is not None
    worker.hear(999, [], worker.deadline)  # whatever it is: a step is due now, and comes late
    worker.tick(worker.deadline + worker.settings.grace + 0.1)
    assert worker.inboxes["jobs"].waiting == 0


@pytest.mark.parametrize(
    "first",
    [
        lambda node, now: node.claim(b"", True, now),
        lambda node, now: node.found(("memory://nobody/c",), "test", None, now),
        lambda node, now: node.refused(998, "refused", "", now),
        lambda node, now: node.ended(999, now),
    ],
    ids=["claim", "found", "refused", "ended"],
)
def test_standing_still_is_noticed_whatever_comes_first_after_it(first: Callable[[Participant, float], None]) -> None:
    node, stranger = pulling()
    stranger.say(Kind.JOBS, jobs(1, 10))
    assert node.deadline is not None
    late = node.deadline + node.settings.grace + 0.1
    first(node, late)
    node.tick(late)
    assert node.inboxes["jobs"].waiting == 0


def test_a_queue_that_was_only_looked_at_keeps_no_job_once_it_is_closed() -> None:
    village = Village(3)
    village.open(1)
    village.push(0, b"first")
    assert village.work_off(1) == [(b"first", 1)]
    village.leave(1)
    village.do(1, lambda node, now: node.look("jobs", now))
    village.close(1)
    village.push(0, *numbered(3))
    village.run(0.5)
    village.open(2)
    assert village.work_off(2) == [(name, 1) for name in numbered(3)]
    assert not village[0].outboxes["jobs"].depth


def test_a_word_on_a_job_is_told_though_its_receiver_was_closed_meanwhile() -> None:
    node, stranger = pulling()
    stranger.say(Kind.JOBS, jobs(1, 1))
    hand = node.take("jobs", "me", 0.0)
    hand.said[0] = None  # in the user's thread, which then waits for the lock
    node.leave("jobs", "me", 0.0)
    node.close_queue("jobs", 0.0)
    node.judge("jobs", hand, 0, None, None, 0.0)
    stranger.settle()
    assert unpack_acks(stranger.bodies(Kind.ACKS)[-1]).done[0][2] == ((1, 1),)
