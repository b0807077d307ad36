"""What becomes of jobs as their pusher says: tried so often, for so long, at such a moment, this before that."""

from __future__ import annotations

import pytest

from meshmq.core.wants import Awaited, Wants
from meshmq.errors import NotUnique
from meshmq.fate import Fate
from meshmq.wire.batches import Terms
from meshmq.wire.verdicts import Verdict
from tests.core.jobs import Pusher

REFUSED, OVERDUE, EXPIRED = Verdict.REFUSED, Verdict.OVERDUE, Verdict.EXPIRED


def test_a_job_that_fails_as_often_as_it_may_is_a_dead_letter_with_the_last_reason() -> None:
    pusher = Pusher(workers="a")
    pusher.add(1, b"poison", wants=Wants(Fate(max_attempts=3, backoff=1.0)))
    pusher.add(1)
    for attempt in (1, 2):
        assert ("a", 1, 1, attempt) in pusher.send_all()
        pusher.back("a", REFUSED, (1, 1), reason=f"failure {attempt}")
        pusher.wake(60.0 * attempt)
    assert pusher.send_all() == [("a", 1, 1, 3)]
    pusher.back("a", OVERDUE, (1, 1))
    (letter,) = pusher.box.dead.letters.values()
    assert letter.job.body == b"poison"
    assert letter.reason == "failed 3 times; the last: its lease ran out"
    assert pusher.box.buried == [letter.reason]
    assert pusher.box.depth == 1


def test_what_was_not_begun_does_not_count_against_a_job() -> None:
    pusher = Pusher(workers="a")
    pusher.add(1, wants=Wants(Fate(max_attempts=1)))
    for _ in range(5):
        pusher.send_all()
        pusher.back("a", Verdict.RETURNED, (1, 1))
    pusher.send_all()
    pusher.back("a", Verdict.LEFT, (1, 1))
    pusher.send_all()
    pusher.lose("a", clean=True)
    assert not pusher.box.dead
    assert pusher.box.depth == 1


def test_the_job_begun_when_its_worker_is_lost_fails_and_its_neighbours_do_not() -> None:
    pusher = Pusher(workers="a")
    pusher.add(3, wants=Wants(Fate(max_attempts=1)))
    pusher.send_all()
    pusher.ack("a", begun=2)
    pusher.lose("a")
    assert [(number, letter.reason) for number, letter in pusher.box.dead.letters.items()] == [
        (2, "failed 1 time; the last: its worker was lost")
    ]
    assert pusher.box.waiting == 2


def test_a_job_that_was_alone_with_a_worker_that_is_lost_has_failed_though_nobody_said_it_was_begun() -> None:
    pusher = Pusher(workers="a")
    pusher.add(2, wants=Wants(Fate(max_attempts=2)))
    pusher.send_all()
    pusher.lose("a")  # which of the two it was nobody knows
    told = []
    for worker in "bcd":
        pusher.box.open(worker.encode())
        pusher.grant(worker, 10)
        told += pusher.send_all()
        if worker == "c":
            assert pusher.ack(worker, (2, 2)) == 1
            pusher.grant(worker, 1)
        else:
            pusher.lose(worker)
    assert told == [("b", 1, 1, 2), ("c", 2, 1, 2), ("d", 1, 1, 3)]
    assert list(pusher.box.dead.letters) == [1]


def test_a_dead_letter_that_is_tried_again_has_its_id_and_a_flag_and_counts_from_anew() -> None:
    pusher = Pusher(workers="a")
    pusher.add(1, b"body", headers={"a": "b"}, wants=Wants(Fate(max_attempts=1)))
    pusher.send_all()
    pusher.back("a", REFUSED, (1, 1))
    pusher.box.retry(1, pusher.now)
    worker, batch = pusher.send() or ("", None)
    assert batch is not None
    assert (worker, batch.first, batch.attempt, bytes(batch.body(0)), batch.headers) == (
        "a",
        1,
        2,
        b"body",
        {0: {"a": "b"}},
    )
    pusher.back("a", REFUSED, (1, 1))
    assert len(pusher.box.dead) == 1
    with pytest.raises(KeyError):
        pusher.box.retry(2, pusher.now)


def test_pauses_double_as_the_job_says_up_to_the_longest() -> None:
    pusher = Pusher(workers="a")
    pusher.add(1, wants=Wants(Fate(backoff=(10.0, 15.0))))
    pauses = []
    for _ in range(3):
        pusher.send_all()
        pusher.back("a", REFUSED, (1, 1))
        due = pusher.box.deadline
        assert due is not None
        pauses.append(due - pusher.now)
        pusher.wake(due)
    assert 5.0 <= pauses[0] <= 10.0
    assert all(7.5 <= pause <= 15.0 for pause in pauses[1:])


def test_a_job_expires_where_nobody_has_it_and_stays_where_somebody_does() -> None:
    pusher = Pusher(workers="a")
    pusher.grant("a", 1)
    pusher.add(2, wants=Wants(Fate(ttl=5.0)))
    assert pusher.send_all() == [("a", 1, 1, 1)]
    assert pusher.box.deadline == 5.0
    pusher.now = 5.0
    assert pusher.box.expire(pusher.now) == 1
    assert pusher.box.depth == 1
    assert pusher.box.deadline is None
    pusher.back("a", Verdict.RETURNED, (1, 1))  # now nobody has it, and it is too late
    assert pusher.box.deadline == 5.0
    assert pusher.box.expire(pusher.now) == 1
    assert (pusher.box.depth, pusher.box.expired) == (0, 2)


def test_a_worker_says_that_a_job_has_expired_and_no_failure_is_counted() -> None:
    pusher = Pusher(workers="a")
    pusher.add(1, wants=Wants(Fate(ttl=5.0, max_attempts=1)))
    pusher.send_all()
    pusher.back("a", EXPIRED, (1, 1))
    assert (pusher.box.depth, pusher.box.expired, len(pusher.box.dead)) == (0, 1, 0)


def test_jobs_that_pause_wait_alone_or_are_for_one_node_expire_too() -> None:
    pusher = Pusher(workers="a")
    pusher.add(1, wants=Wants(Fate(ttl=5.0), delay=10.0))
    pusher.add(1, to="nobody", wants=Wants(Fate(ttl=5.0)))
    pusher.add(2, wants=Wants(Fate(ttl=5.0), key="k"))
    pusher.now = 5.0
    assert pusher.box.expire(pusher.now) == 4
    assert pusher.box.depth == 0


def test_a_delayed_job_goes_out_at_its_moment_and_others_go_before() -> None:
    pusher = Pusher(workers="a")
    pusher.add(1, wants=Wants(delay=3.0))
    pusher.add(1)
    assert pusher.send_all() == [("a", 2, 1, 1)]
    assert pusher.box.deadline == 3.0
    pusher.wake(3.0)
    assert pusher.send_all() == [("a", 1, 1, 1)]


def test_the_highest_priority_goes_first_and_each_in_order() -> None:
    pusher = Pusher()
    for priority in (0, 9, 3, 9, 0):
        pusher.add(1, wants=Wants(Fate(priority=priority)))
    assert {level: count for level, (count, _) in pusher.box.backlog.levels.waiting.items()} == {9: 2, 3: 1, 0: 2}
    pusher.box.open(b"a")
    pusher.grant("a", 10)
    assert [first for _, first, _, _ in pusher.send_all()] == [2, 4, 3, 1, 5]
    pusher.lose("a", clean=True)
    pusher.box.open(b"b")
    pusher.grant("b", 10)
    assert [first for _, first, _, _ in pusher.send_all()] == [2, 4, 3, 1, 5]


def test_a_worker_is_told_what_it_holds_to() -> None:
    pusher = Pusher(workers="a")
    pusher.add(1, wants=Wants(Fate(lease=2.0, ttl=8.0, priority=4)))
    pusher.now = 3.0
    _, batch = pusher.send() or ("", None)
    assert batch is not None
    assert batch.terms == Terms(2.0, 5.0, 4)


def test_an_id_is_taken_for_its_window_and_free_again_after() -> None:
    pusher = Pusher()
    pusher.add(1, wants=Wants(unique="order-17", window=60.0))
    pusher.now = 59.0
    with pytest.raises(NotUnique, match="order-17") as raised:
        pusher.add(1, wants=Wants(unique="order-17", window=60.0))
    assert raised.value.left == 1.0
    pusher.add(1, wants=Wants(unique="order-18", window=60.0))
    pusher.now = 60.0
    pusher.add(1, wants=Wants(unique="order-17", window=60.0))
    assert pusher.box.depth == 3
    assert len(pusher.box.claims) == 2


def test_who_waits_for_the_end_of_a_job_learns_each_kind_of_it() -> None:
    pusher = Pusher(workers="a")
    done, dead, expired, open_still = (Awaited() for _ in range(4))
    for awaited, fate in ((done, Fate()), (dead, Fate(max_attempts=1)), (expired, Fate(ttl=9.0)), (open_still, Fate())):
        pusher.add(1, wants=Wants(fate, awaited=awaited))
    pusher.send_all()
    pusher.ack("a", (1, 1))
    pusher.back("a", REFUSED, (2, 2), reason="ValueError: no")
    pusher.back("a", EXPIRED, (3, 3))
    assert [one.outcome for one in (done, dead, expired, open_still)] == ["done", "dead", "expired", None]
    assert dead.reason == "failed 1 time; the last: ValueError: no"
    assert pusher.box.ended == 3
