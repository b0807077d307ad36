"""Two or three participants, joined: jobs get there once and in order, and peers meet."""

from __future__ import annotations

import pytest

from meshmq.errors import WouldBlock
from meshmq.settings import Settings
from meshmq.wire.verdicts import Verdict
from tests.core.stranger import participant
from tests.core.village import Village, body, numbered


@pytest.mark.parametrize("worker_first", [True, False])
def test_the_first_job_arrives_whichever_side_starts_first(worker_first: bool) -> None:
    village = Village(2, meet=False)
    if worker_first:
        village.open(1)
        village.take(1)
    village.push(0, b"first")
    village.run(1)
    village.find(0, 1)
    if not worker_first:
        village.open(1)
    assert body(village.next(1)) == b"first"


def test_jobs_of_one_pusher_come_to_one_worker_in_order_and_once() -> None:
    village = Village(2)
    village.open(1)
    village.push(0, *numbered(300))
    assert village.work_off(1) == [(name, 1) for name in numbered(300)]
    assert not village.do(0, lambda node, now: node.owes(now))


def test_a_node_works_on_its_own_jobs() -> None:
    village = Village(1)
    village.open(0)
    village.push(0, *numbered(20))
    assert village.work_off(0) == [(name, 1) for name in numbered(20)]
    assert not village.do(0, lambda node, now: node.at_work())


def test_workers_share_and_one_that_stands_holds_little() -> None:
    village = Village(3)
    village.open(1)
    village.open(2)
    held = village.take(1)
    assert held is None
    village.push(0, *numbered(100))
    held = village.next(1)
    done = village.work_off(2)
    assert len(done) == 99
    village.finish(1, held)
    village.run(0.1)
    assert village[0].outboxes["jobs"].depth == 0


def test_large_values_and_values_with_buffers_arrive_whole() -> None:
    village = Village(2)
    village.open(1)
    village.push(0, b"before")
    village.push(0, bytes(1_000_000), b"between")
    village.push(0, b"buffered", buffers=(bytes(400_000), b"end"))
    sizes, buffers = [], []
    for _ in range(4):
        hand = village.next(1)
        sizes.append(len(body(hand)))
        buffers.append([len(part) for part in hand.batch.buffers])
        village.finish(1, hand)
    assert sizes == [6, 1_000_000, 7, 8]
    assert buffers[3] == [400_000, 3]


def test_who_waits_at_a_full_outbox_is_woken_when_there_is_room() -> None:
    village = Village(2, settings=Settings(outbox_jobs=4))
    village.open(1)
    village.push(0, *numbered(4))
    with pytest.raises(WouldBlock):
        village.push(0, b"4")
    village.woken.clear()
    village.work_off(1)
    assert ("outbox", "jobs") in village.woken
    village.push(0, b"4")


def test_a_queue_that_was_closed_and_opened_again_gets_jobs_in_the_same_session() -> None:
    village = Village(2)
    for turn in range(3):
        village.open(1)
        village.push(0, *numbered(10))
        assert len(village.work_off(1)) == 10, f"turn {turn}"
        village.close(1)
        village.run(0.5)


def test_jobs_on_their_way_to_a_queue_that_closes_go_back_unflagged() -> None:
    village = Village(3)
    village.open(1, prefetch=50)
    village.take(1)
    village.push(0, *numbered(20))
    village.run(0.5)
    village.leave(1)
    village.close(1)
    village.open(2)
    assert sorted(village.work_off(2)) == sorted((name, 1) for name in numbered(20))


def test_a_nack_brings_the_job_back_later_as_a_repeat() -> None:
    village = Village(2)
    village.open(1)
    village.push(0, b"one")
    hand = village.next(1)
    hand.said[0] = Verdict.REFUSED
    village.do(1, lambda node, now: node.judge("jobs", hand, 0, Verdict.REFUSED, 0.5, now))
    before = village.sim.now
    again = village.next(1)  # though the first hand was never finished
    assert (body(again), again.batch.attempt) == (b"one", 2)
    assert village.sim.now >= before + 0.5


def test_what_a_worker_cannot_decode_is_dropped_and_told() -> None:
    village = Village(2)
    village.open(1)
    village.push(0, b"one")
    hand = village.next(1)
    hand.said[0] = Verdict.REJECTED
    village.do(1, lambda node, now: node.judge("jobs", hand, 0, Verdict.REJECTED, None, now))
    village.run(0.5)
    assert village[0].outboxes["jobs"].depth == 0
    assert "a job of 'jobs' is a dead letter now: it was rejected" in village.said


def test_one_that_nobody_can_dial_gets_jobs_and_gives_jobs() -> None:
    village = Village(2, meet=False, hidden=(1,))
    village.find(1, 0)
    village.run(10)
    assert [peer.one_way for peer in village[1].roster.values()] == [True]
    assert [peer.card.name for peer in village[0].roster.values()] == ["n1"]
    village.open(1)
    village.push(0, *numbered(5))
    assert len(village.work_off(1)) == 5
    village.open(0, queue="back")
    village.run(1)
    village.push(1, b"answer", queue="back")
    assert village.work_off(0, queue="back") == [(b"answer", 1)]


def test_two_meshes_do_not_meet_and_both_say_why() -> None:
    village = Village(2, meshes=("red", "blue"))
    assert not village[0].roster
    assert not village[1].roster
    sentences = sorted(sentence.partition("belongs to ")[2] for sentence in village.said)
    assert sentences == [
        "mesh 'blue'; start both with the same mesh= or MESHMQ_MESH",
        "mesh 'red'; start both with the same mesh= or MESHMQ_MESH",
    ]


def test_any_one_peer_leads_to_all_others() -> None:
    village = Village(5, meet=False)
    for index in range(1, 5):
        village.find(index, 0)
    village.run(3)
    assert [len(village[index].roster) for index in range(5)] == [4] * 5
    village.sim.crash(village.sim.nodes[0])
    village.run(3)
    assert [len(village[index].roster) for index in range(1, 5)] == [3] * 4


def test_a_mesh_at_rest_is_stepped_seldom() -> None:
    village = Village(3)
    village.open(1)
    village.push(0, *numbered(10))
    village.work_off(1)
    village.run(5)
    before = village.sim.events
    village.run(60)
    assert village.sim.events - before < 60 * 3 * 6


def test_it_says_who_it_is() -> None:
    village = Village(1)
    assert repr(village[0]).startswith("<Participant 'n0' ")
    assert repr(village[0]).endswith(" in 'm', up>")


def test_who_asks_first_is_given_at_once_what_its_own_node_has_pushed() -> None:
    alone = participant()
    alone.open_queue("jobs", None, 0.0)
    alone.push("jobs", b"here", (), None, 0.0)
    assert body(alone.take("jobs", "me", 0.0)) == b"here"  # who registers after that is woken by nobody
