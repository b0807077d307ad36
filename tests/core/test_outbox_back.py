"""What comes back is offered again: in order, as a repeat where it may have run, alone where it is suspected."""

from __future__ import annotations

from random import Random

from meshmq.core.outbox import Outbox
from meshmq.settings import Settings
from meshmq.wire.verdicts import Verdict
from tests.core.jobs import Pusher


def test_what_was_never_begun_comes_back_in_order_and_no_attempt_is_counted() -> None:
    pusher = Pusher(6, workers="a")
    pusher.send_all()
    for number in (5, 3, 4):
        pusher.back("a", Verdict.RETURNED, (number, number))
    pusher.back("a", Verdict.RETURNED, (6, 6))
    pusher.grant("a", 99)
    sent = pusher.send_all()
    assert sorted(first + index for _, first, count, _ in sent for index in range(count)) == [3, 4, 5, 6]
    assert {attempt for *_, attempt in sent} == {1}
    assert pusher.box.returned == 4


def test_what_was_begun_and_left_comes_back_as_a_possible_repeat() -> None:
    pusher = Pusher(2, workers="a")
    pusher.send_all()
    pusher.back("a", Verdict.LEFT, (1, 1))
    pusher.grant("a", 99)
    assert pusher.send_all() == [("a", 1, 1, 2)]
    assert pusher.box.redelivered == 1


def test_a_refused_job_pauses_ever_longer() -> None:
    pusher = Pusher(1, workers="a", settings=Settings(backoff=0.1, backoff_limit=5.0))
    pusher.grant("a", 99)
    pauses = []
    for attempt in range(1, 10):
        assert pusher.send_all() == [("a", 1, 1, attempt)]
        pusher.back("a", Verdict.REFUSED, (1, 1))
        assert pusher.send_all() == []
        due = pusher.box.deadline
        assert due is not None
        pauses.append(due - pusher.now)
        assert not pusher.box.wake(due - 0.001)
        pusher.now = due
        assert pusher.box.wake(due)
    assert 0.05 <= pauses[0] <= 0.1
    assert 2.5 <= pauses[-1] <= 5.0
    assert pusher.box.refused == 9


def test_the_pause_a_nack_asks_for_is_kept() -> None:
    pusher = Pusher(1, workers="a")
    pusher.send_all()
    pusher.back("a", Verdict.REFUSED, (1, 1), delay=7.0)
    assert pusher.box.deadline == 7.0


def test_what_is_rejected_is_a_dead_letter_and_counted() -> None:
    pusher = Pusher(2, workers="a")
    pusher.send_all()
    pusher.back("a", Verdict.REJECTED, (1, 1))
    assert (pusher.box.depth, pusher.box.rejected) == (1, 1)


def test_who_has_nothing_can_give_nothing_back() -> None:
    pusher = Pusher(2, workers="ab")
    pusher.grant("b", 0)
    pusher.send_all()
    pusher.back("b", Verdict.LEFT, (1, 2))
    pusher.back("z", Verdict.LEFT, (1, 2))
    assert pusher.box.waiting == 0


def test_the_jobs_of_a_lost_worker_go_out_again_each_alone() -> None:
    pusher = Pusher(3, workers="a")
    pusher.send_all()
    pusher.ack("a", begun=2)
    assert pusher.lose("a") == 3
    assert pusher.lose("a") == 0
    pusher.box.open(b"b")
    pusher.grant("b", 10)
    for number in (1, 2, 3):
        assert pusher.send_all() == [("b", number, 1, 2)]
        pusher.ack("b", (number, number))
    assert pusher.box.depth == 0


def test_others_go_on_while_one_worker_is_emptied_for_a_job_that_goes_alone() -> None:
    pusher = Pusher(1, workers="xab")
    pusher.closed = {"a", "b"}
    pusher.send_all()
    pusher.closed = set()
    pusher.lose("x")
    pusher.box.open(b"a").in_flight = 0
    pusher.add(6)
    sent = pusher.send_all()
    assert ("a", 1, 1, 2) in sent
    assert {worker for worker, *_ in sent if worker != "a"} == {"b"}
    assert [entry for entry in sent if entry[0] == "a"] == [("a", 1, 1, 2)]  # nothing beside it
    pusher.ack("a", (1, 1))
    pusher.add(1)
    pusher.grant("b", 0)
    assert pusher.send_all()[0][0] == "a"


def test_a_worker_that_asks_for_nothing_is_not_waited_for() -> None:
    pusher = Pusher(1, workers="xab")
    pusher.closed = {"a", "b"}
    pusher.send_all()
    pusher.closed = set()
    pusher.lose("x")
    pusher.grant("a", 0)  # empty, and it wants nothing
    assert pusher.send_all() == [("b", 1, 1, 2)]


def test_a_busy_worker_is_emptied_where_there_is_no_other() -> None:
    pusher = Pusher(1, workers="xa")
    pusher.closed = {"a"}
    pusher.send_all()
    pusher.closed = set()
    pusher.add(3)
    pusher.grant("x", 1)
    pusher.send_all()
    pusher.lose("x")
    pusher.add(1)
    assert pusher.send_all() == []  # a has three, and is being emptied
    pusher.ack("a", (2, 4))
    assert pusher.send_all() == [("a", 1, 1, 2)]
    pusher.ack("a", (1, 1))
    assert pusher.send_all() == [("a", 5, 1, 1)]


def test_a_suspect_that_comes_back_unbegun_is_a_suspect_still() -> None:
    pusher = Pusher(1, workers="xa")
    pusher.closed = {"a"}
    pusher.send_all()
    pusher.closed = set()
    pusher.lose("x")
    pusher.add(3)
    assert pusher.send_all() == [("a", 1, 1, 2)]
    pusher.back("a", Verdict.RETURNED, (1, 1))
    assert pusher.send_all() == [("a", 1, 1, 2)]
    pusher.ack("a", (1, 1))
    assert pusher.send_all() == [("a", 2, 3, 1)]


def test_a_suspect_that_is_refused_goes_on_alone_after_its_pause() -> None:
    pusher = Pusher(1, workers="xa")
    pusher.closed = {"a"}
    pusher.send_all()
    pusher.closed = set()
    pusher.lose("x")
    assert pusher.send_all() == [("a", 1, 1, 2)]
    pusher.add(2)
    pusher.back("a", Verdict.REFUSED, (1, 1), delay=1.0)
    assert pusher.send_all() == [("a", 2, 2, 1)]
    pusher.now = 1.0
    assert pusher.box.wake(1.0)
    assert pusher.send_all() == []  # beside the others it does not go
    pusher.ack("a", (2, 3))
    assert pusher.send_all() == [("a", 1, 1, 3)]
    assert pusher.box.routes[b"a"].alone


def test_after_a_clean_goodbye_nobody_is_suspected() -> None:
    pusher = Pusher(3, workers="a")
    pusher.send_all()
    pusher.lose("a", clean=True)
    pusher.box.open(b"b")
    pusher.grant("b", 10)
    assert pusher.send_all() == [("b", 1, 3, 2)]


def test_only_what_was_begun_is_blamed() -> None:
    pusher = Pusher(5, workers="a")
    pusher.send_all()
    pusher.ack("a", (1, 1), begun=3)
    pusher.lose("a")
    blamed = {run.first: run.failures for run in pusher.box.backlog.alone}
    assert blamed == {2: 0, 3: 1, 4: 0}


def test_who_has_jobs_is_working() -> None:
    pusher = Pusher(1, workers="ab")
    assert pusher.box.working == []
    ((worker, *_),) = pusher.send_all()
    assert pusher.box.working == [worker.encode()]


def test_an_outbox_of_another_base_numbers_from_there() -> None:
    box = Outbox("other", b"o" * 16, 1 << 40, Settings(), Random(1))
    assert box.add(b"", (), None, 0.0) == 1 << 40
    assert box.pushed == 1
