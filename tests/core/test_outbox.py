"""An outbox keeps every job until it is confirmed, and gives each to the worker with most credit."""

from __future__ import annotations

import pytest

from meshmq.core.cargo import BATCH_BYTES, BUFFERS_TOGETHER
from meshmq.core.dispatch import QUICK_PIECES, QUICK_WINDOW
from meshmq.errors import WouldBlock
from meshmq.settings import Settings
from meshmq.wire.verdicts import Verdict
from tests.core.jobs import Pusher


def test_numbers_are_consecutive_and_jobs_go_in_order() -> None:
    pusher = Pusher(3, workers="a")
    assert pusher.send_all() == [("a", 1, 3, 1)]
    assert repr(pusher.box) == "<Outbox 'jobs' 3 jobs, 3 in flight>"


def test_it_is_full_by_number_and_by_bytes() -> None:
    pusher = Pusher(2, settings=Settings(outbox_jobs=2))
    with pytest.raises(WouldBlock):
        pusher.add(1)
    pusher = Pusher(settings=Settings(outbox_bytes=10))
    pusher.add(1, b"larger than ten bytes")  # alone it is let in
    with pytest.raises(WouldBlock):
        pusher.add(1, b"")
    pusher.box.open(b"a")
    pusher.grant("a", 1)
    pusher.send_all()
    assert pusher.ack("a", (1, 1)) == 1
    pusher.add(1, b"12345")
    pusher.add(1, b"12345")
    with pytest.raises(WouldBlock):
        pusher.add(1, b"1")


def test_it_is_full_by_headers_too_and_credit_counts_none() -> None:
    pusher = Pusher(workers="a", settings=Settings(outbox_bytes=1_000))
    pusher.add(1, headers={"k": "v" * 1_000})
    with pytest.raises(WouldBlock):
        pusher.add(1, b"")
    pusher.grant("a", 2, 4)
    pusher.send_all()
    assert pusher.box.routes[b"a"].bytes_sent == 3
    pusher.ack("a", (1, 1))
    pusher.add(1)
    assert pusher.box.size == 3


def test_jobs_of_different_moments_keep_their_ages() -> None:
    pusher = Pusher(1)
    pusher.now = 2.0
    pusher.add(1)
    pusher.box.open(b"a")
    pusher.grant("a", 10)
    pusher.now = 5.0
    sent = [found[1].held for found in (pusher.send(), pusher.send()) if found]
    assert sent == [5.0, 3.0]


def test_slow_pushes_that_waited_long_go_together() -> None:
    pusher = Pusher(workers="a")
    for moment in (0.0, 0.02, 0.04):
        pusher.now = moment
        pusher.add(1)
    pusher.now = 0.06
    assert pusher.send_all() == [("a", 1, 1, 1), ("a", 2, 1, 1), ("a", 3, 1, 1)]
    pusher.lose("a", clean=True)
    pusher.box.open(b"a")
    pusher.grant("a", 10)
    pusher.now = 10.0
    pusher.add(1)
    sent = [pusher.send(), pusher.send()]
    assert [
        (batch.first, batch.count, batch.attempt, batch.held) for found in sent if found for batch in found[1:]
    ] == [
        (1, 3, 2, 10.0),
        (4, 1, 1, 0.0),
    ]
    assert pusher.ack("a", (2, 2)) == 1
    assert pusher.ack("a", (4, 4), (1, 3)) == 3


def test_nothing_goes_without_credit_and_never_more_than_that() -> None:
    pusher = Pusher(10, workers="a")
    pusher.grant("a", 4)
    assert pusher.send_all() == [("a", 1, 4, 1)]
    pusher.grant("a", 3)  # limits may sink
    assert pusher.send_all() == []
    pusher.grant("a", 5)
    assert pusher.send_all() == [("a", 5, 1, 1)]
    pusher.grant("b", 5)  # nobody we know
    assert pusher.send_all() == []


def test_bytes_are_granted_too_and_the_last_job_may_go_beyond() -> None:
    pusher = Pusher(workers="a")
    pusher.add(3, bytes(100))
    pusher.grant("a", 10, 150)
    pusher.add(1)
    while pusher.send() is not None:
        pass
    assert pusher.box.routes[b"a"].bytes_sent >= 150
    assert pusher.box.waiting < 4
    pusher.grant("a", 10, 1000)
    pusher.send_all()
    assert pusher.box.waiting == 0


def test_the_worker_with_most_credit_comes_first_and_work_is_shared() -> None:
    pusher = Pusher(8, workers="ab")
    pusher.grant("b", 20)
    assert pusher.send_all() == [("b", 1, 4, 1), ("b", 5, 2, 1), ("b", 7, 1, 1), ("b", 8, 1, 1)]


def test_quick_workers_are_given_larger_pieces() -> None:
    pusher = Pusher(1_000, workers="ab")
    for worker in "ab":
        pusher.grant(worker, QUICK_WINDOW)
    assert [count for _, _, count, _ in pusher.send_all()] == [QUICK_WINDOW // QUICK_PIECES]
    pusher.add(1_000)
    for worker in "ab":
        pusher.grant(worker, QUICK_WINDOW - 1)
    assert [count for _, _, count, _ in pusher.send_all()][:2] == [500, 250]


def test_of_equals_the_one_used_longest_ago_comes_first() -> None:
    pusher = Pusher(workers="abc")
    order = []
    for number in range(1, 7):
        pusher.add(1)
        ((worker, *_),) = pusher.send_all()
        order.append(worker)
        pusher.ack(worker, (number, number))
        pusher.grant(worker, 10 + len([w for w in order if w == worker]))
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_a_worker_whose_line_is_full_waits() -> None:
    pusher = Pusher(2, workers="ab")
    pusher.closed = {"a"}
    assert {worker for worker, *_ in pusher.send_all()} == {"b"}


def test_a_batch_is_bounded_in_bytes() -> None:
    pusher = Pusher(workers="a")
    pusher.add(5, bytes(BATCH_BYTES // 2))
    assert [count for _, _, count, _ in pusher.send_all()] == [2, 2, 1]


def test_jobs_with_a_buffer_each_go_together_as_far_as_the_line_carries() -> None:
    pusher = Pusher(workers="a")
    pusher.grant("a", 100)
    pusher.piece = 25
    pusher.add(1)
    for size in (10, 10, 5, 10, 30, 10):
        pusher.add(1, buffers=(bytes(size),))
    pusher.add(1, buffers=(bytes(5), bytes(5)))
    pusher.add(1)
    sent = []
    while (found := pusher.send()) is not None:
        sent.append((found[1].first, [len(buffer) for buffer in found[1].buffers], found[1].count))
    assert sent == [
        (1, [], 1),
        (2, [10, 10, 5], 3),
        (5, [10], 1),
        (6, [30], 1),
        (7, [10], 1),
        (8, [5, 5], 1),
        (9, [], 1),
    ]
    assert pusher.ack("a", (1, 9)) == 9
    assert pusher.box.size == 0


def test_only_so_many_jobs_with_buffers_go_together() -> None:
    pusher = Pusher(workers="a")
    pusher.grant("a", 100)
    pusher.piece = 10**9
    for _ in range(2 * BUFFERS_TOGETHER + 1):
        pusher.add(1, buffers=(b"large",))
    assert [count for _, _, count, _ in pusher.send_all()] == [BUFFERS_TOGETHER, BUFFERS_TOGETHER, 1]


def test_a_job_with_buffers_goes_alone_in_its_batch() -> None:
    pusher = Pusher(2, workers="a")
    pusher.add(1, buffers=(b"large", b"larger"))
    pusher.add(2, headers={"k": "v"})
    sent = []
    while (found := pusher.send()) is not None:
        sent.append((found[1].first, found[1].count, found[1].buffers, found[1].headers))
    assert sent == [
        (1, 2, (), {}),
        (3, 1, (b"large", b"larger"), {}),
        (4, 2, (), {0: {"k": "v"}, 1: {"k": "v"}}),
    ]
    assert pusher.ack("a", (1, 5)) == 5
    assert pusher.box.size == 0


def test_an_ack_settles_and_a_second_one_is_no_news() -> None:
    pusher = Pusher(5, workers="a")
    pusher.send_all()
    pusher.now = 2.0
    assert pusher.ack("a", (2, 3)) == 2
    assert pusher.ack("a", (1, 5)) == 3
    assert pusher.ack("a", (1, 5), (90, 2**63)) == 0
    assert (pusher.box.depth, pusher.box.acked, pusher.box.waited) == (0, 5, 10.0)


def test_an_ack_of_any_delivery_settles_the_job_wherever_it_stands() -> None:
    pusher = Pusher(4, workers="ab")
    pusher.grant("b", 0)
    pusher.send_all()
    pusher.lose("a")
    pusher.grant("b", 1)
    assert pusher.send_all() == [("b", 1, 1, 2)]
    # a, in a new session, says that it had done them all
    pusher.box.open(b"a")
    assert pusher.ack("a", (1, 4)) == 4
    assert pusher.box.depth == 0
    assert not pusher.box.routes[b"b"].alone


def test_an_ack_settles_a_job_that_pauses() -> None:
    pusher = Pusher(2, workers="a")
    pusher.send_all()
    pusher.back("a", Verdict.REFUSED, (1, 2))
    assert (len(pusher.box.backlog.pauses), pusher.box.waiting) == (2, 0)
    assert pusher.ack("z", (2, 2)) == 1
    assert (len(pusher.box.backlog.pauses), pusher.box.depth) == (1, 1)


def test_what_is_no_body_is_not_taken() -> None:
    pusher = Pusher(workers="a")
    with pytest.raises(TypeError):
        pusher.add(1, "no bytes")  # type: ignore[arg-type]  # nobody gets so far: what is pushed is checked at the call
    assert (pusher.box.depth, pusher.box.size, pusher.box.pushed) == (0, 0, 0)


def test_a_batch_that_cannot_be_packed_is_not_on_its_way() -> None:
    pusher = Pusher(workers="a")
    pusher.add(1)
    pusher.box.backlog.ready[0].since = "no moment"  # type: ignore[assignment]  # nobody gets so far
    with pytest.raises(TypeError):
        pusher.send()
    assert (pusher.box.waiting, pusher.box.working, pusher.box.routes[b"a"].free) == (1, [], 10)
