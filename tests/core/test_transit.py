"""A queue in transit, by hand: who is granted what, where batches go, what comes back to whom."""

from __future__ import annotations

from typing import Any

import pytest

from meshmq.core.relay.share import RECALL_AFTER
from meshmq.core.relay.transit import Transit
from meshmq.errors import ProtocolError
from meshmq.settings import Settings
from meshmq.testing.books import audit_transit
from meshmq.wire.batches import Batch, pack_batch, unpack_batch
from meshmq.wire.frames import Kind, unpack_acks, unpack_grant
from meshmq.wire.row import Row
from meshmq.wire.verdicts import Settle, Verdict, unpack_settle
from tests.core.jobs import MANY, ORIGIN


def who(pusher: str) -> bytes:
    return pusher.encode() * 16


class Device:
    """A transit; pushers are named by small letters, workers by capitals; its books are audited at each step."""

    def __init__(self, **grants: int) -> None:
        self.transit = Transit("jobs", Settings())
        self.now = 0.0
        for worker, jobs in grants.items():
            self.transit.seek(worker.encode())
            self.grant(worker, jobs)

    def grant(self, worker: str, jobs: int, size: int = MANY) -> None:
        self.transit.grant(worker.encode(), jobs, size)

    def offer(self, pusher: str, backlog: int = 1_000) -> None:
        self.transit.offered(who(pusher), backlog, self.now)

    def push(self, pusher: str, first: int, count: int = 1, *, backlog: int = 0, **options: Any) -> None:
        options = {"attempt": 1, "held": 0.5, **options}
        frames = pack_batch("jobs", ORIGIN, first, Row.of([b"job"] * count), backlog=backlog, **options)
        self.transit.receive(who(pusher), unpack_batch(frames), self.now)

    def send_all(self) -> list[tuple[str, Batch]]:
        """Send on all that may be sent: to whom, and what."""
        sent = []
        while (worker := self.transit.best(lambda peer: True)) is not None:
            frames = self.transit.next_batch(worker, self.now, lambda peer: 0.25)
            sent.append((worker.peer.decode(), unpack_batch(frames)))
        return sent

    def sent(self) -> list[tuple[str, int, int]]:
        return [(worker, batch.first, batch.count) for worker, batch in self.send_all()]

    def told(self) -> dict[str, list[Any]]:
        """Return what pushers are told: limits in jobs, ranges acked, verdicts with ranges."""
        told: dict[str, list[Any]] = {}
        for peer, kind, body in self.transit.answers(self.now):
            if kind is Kind.GRANT:
                word: Any = unpack_grant(body)[1]
            elif kind is Kind.ACKS:
                word = [pair for _, _, ranges in unpack_acks(body).done for pair in ranges]
            else:
                said = unpack_settle(body)
                word = (said.verdict, *said.ranges)
            told.setdefault(peer[:1].decode(), []).append(word)
        audit_transit(self.transit, settled=True)
        return told


def test_what_workers_have_free_is_shared_out_to_those_with_a_backlog() -> None:
    device = Device(A=6, B=4)
    device.offer("p")
    device.offer("q")
    assert device.told() == {"p": [5], "q": [5]}
    assert device.told() == {}
    device.push("p", 1, 5, backlog=100)
    assert device.sent() == [("A", 1, 5)]


def test_who_has_no_backlog_gives_back_what_another_needs() -> None:
    device = Device(A=4)
    device.offer("p", 0)
    assert device.told() == {"p": [4]}
    device.offer("q")
    assert device.told() == {"p": [0], "q": [4]}


def test_one_job_free_goes_round() -> None:
    device = Device(A=1)
    device.offer("p")
    device.offer("q")
    assert device.told() == {"p": [1]}
    device.push("p", 1, backlog=9)
    assert device.sent() == [("A", 1, 1)]
    assert device.told() == {}
    device.transit.settle(b"A", ORIGIN, 1, [(1, 1)])
    device.grant("A", 2)
    assert device.told() == {"p": [[(1, 1)]], "q": [1]}


def test_a_pusher_that_stands_still_holds_up_nobody() -> None:
    device = Device(A=1)
    device.offer("p")
    assert device.told() == {"p": [1]}
    device.offer("q")
    assert device.told() == {}
    assert device.transit.deadline == RECALL_AFTER
    device.now = RECALL_AFTER
    assert device.told() == {"p": [0], "q": [1]}
    device.push("p", 1)  # it was on its way
    device.push("q", 2)
    assert device.sent() == [("A", 1, 1)]
    device.transit.settle(b"A", ORIGIN, 1, [(1, 1)])
    device.grant("A", 2)
    assert device.sent() == [("A", 2, 1)]


def test_a_grant_that_sinks_is_taken_back() -> None:
    device = Device(A=10)
    device.offer("p")
    assert device.told() == {"p": [10]}
    device.grant("A", 3)
    assert device.told() == {"p": [3]}


def test_more_than_was_granted_is_refused() -> None:
    device = Device(A=1)
    device.offer("p")
    device.told()
    with pytest.raises(ProtocolError, match="than it was granted"):
        device.push("p", 1, 2)
    with pytest.raises(ProtocolError, match="than it was granted"):
        device.push("q", 1)


def test_the_worker_with_most_free_gets_the_next_and_a_small_backlog_is_shared_out() -> None:
    device = Device(A=100, B=90)
    device.offer("p")
    device.told()
    device.push("p", 1, 10)
    sent = device.sent()
    assert sent[:2] == [("A", 1, 5), ("A", 6, 5)]


def test_a_batch_goes_whole_where_it_fits_and_in_the_name_of_its_pusher() -> None:
    device = Device(A=10)
    device.offer("p")
    device.told()
    device.now = 1.0
    device.push("p", 1, 3)
    device.now = 3.0
    ((_, batch),) = device.send_all()
    assert (batch.first, batch.count, batch.pusher) == (1, 3, who("p"))
    assert batch.held == 0.5 + 2.0 + 0.125


def test_acks_and_verdicts_go_to_whom_they_belong() -> None:
    device = Device(A=10)
    device.offer("p")
    device.offer("q")
    device.told()
    device.push("p", 1, 3)
    device.push("q", 4, 3)
    device.sent()
    device.transit.settle(b"A", ORIGIN, 5, [(2, 5)])
    device.transit.give_back(
        b"A",
        Settle(
            "jobs",
            Verdict.REFUSED,
            ORIGIN,
            (
                (1, 1),
                (6, 6),
            ),
        ),
    )
    told = device.told()
    assert told["p"] == [[(2, 3)], (Verdict.REFUSED, (1, 1))]
    assert told["q"] == [[(4, 5)], (Verdict.REFUSED, (6, 6))]
    assert device.transit.away == 0


def test_of_a_worker_that_is_lost_the_job_begun_is_blamed_and_what_was_handled_is_not() -> None:
    device = Device(A=10)
    device.offer("p")
    device.told()
    device.push("p", 1, 5)
    device.sent()
    device.transit.give_back(b"A", Settle("jobs", Verdict.HELD, ORIGIN, ((1, 1),)))
    assert device.told()["p"] == [(Verdict.HELD, (1, 1))]
    device.transit.settle(b"A", ORIGIN, 3, [(2, 2)])
    assert device.transit.lose(b"A", clean=False) == 4
    told = device.told()["p"]
    assert set(told[-3:]) == {(Verdict.LEFT, (1, 1)), (Verdict.BLAMED, (3, 3)), (Verdict.LOST, (4, 5))}


def test_after_a_goodbye_nobody_is_blamed() -> None:
    device = Device(A=10)
    device.offer("p")
    device.told()
    device.push("p", 1, 2)
    device.sent()
    device.transit.lose(b"A", clean=True)
    assert device.told()["p"][-1] == (Verdict.LEFT, (1, 2))


def test_a_suspect_waits_for_an_empty_worker_and_others_pass_it() -> None:
    device = Device(A=3, B=3)
    device.offer("p")
    device.told()
    device.push("p", 1, 2)
    assert len({worker for worker, *_ in device.sent()}) == 2
    device.push("p", 3, attempt=2, alone=True)
    device.push("p", 4, 1)
    assert [first for _, first, _ in device.sent()] == [4]
    for name in (b"A", b"B"):
        device.transit.settle(name, ORIGIN, -1, [(1, 2)])
    ((worker, first, _),) = device.sent()
    assert first == 3
    assert device.transit.workers[worker.encode()].alone
    device.push("p", 5, 1)
    ((other, _, _),) = device.sent()
    assert other != worker


def test_what_nobody_will_take_goes_back_at_once() -> None:
    device = Device(A=2)
    device.offer("p")
    device.told()
    device.grant("A", 0)
    device.push("p", 1, 2)
    assert device.sent() == []
    assert device.told()["p"][-1] == (Verdict.RETURNED, (1, 2))


def test_one_that_drains_grants_nothing_and_awaits_what_is_away() -> None:
    device = Device(A=4)
    device.offer("p")
    device.told()
    device.push("p", 1, 1)
    device.sent()
    device.transit.draining = True
    assert device.told() == {"p": [1]}
    device.push("p", 2, 3)
    assert device.told() == {"p": [(Verdict.RETURNED, (2, 4))]}
    device.transit.settle(b"A", ORIGIN, -1, [(1, 1)])
    assert device.told() == {"p": [[(1, 1)]]}
    assert (device.transit.away, device.transit.here) == (0, 0)


def test_of_a_pusher_that_went_nothing_is_sent_on_and_what_comes_back_is_dropped() -> None:
    device = Device(A=1)
    device.offer("p")
    device.told()
    device.push("p", 1)
    device.sent()
    device.grant("A", 2)
    device.told()
    device.push("p", 2, backlog=0)
    device.transit.leave(who("p"))
    assert device.sent() == []
    device.transit.give_back(b"A", Settle("jobs", Verdict.RETURNED, ORIGIN, ((1, 1),)))
    assert device.told() == {}


def test_one_word_is_for_both_copies_of_a_job_that_came_again() -> None:
    device = Device(A=10)
    device.offer("p")
    device.told()
    device.push("p", 1, 3)
    device.sent()
    device.transit.leave(who("p"))
    device.offer("p")
    device.told()
    device.push("p", 1, 3, attempt=2)
    device.sent()
    device.transit.settle(b"A", ORIGIN, -1, [(1, 3)])
    assert device.transit.away == 0
    assert device.told()["p"][0] == [(1, 3)]
