"""A durable job is on disk before it goes out, is struck out when it ends, and comes back flagged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from meshmq.core.ledger import Ledger, Told
from meshmq.core.outbox import Outbox
from meshmq.core.records import Bury, Change, Claim, Done, Failed, Keep, StoredJob
from meshmq.core.wants import Entry, Wants
from meshmq.errors import JournalError, NotUnique
from meshmq.fate import Fate
from meshmq.settings import Settings
from meshmq.testing.books import audit_outbox
from meshmq.wire.verdicts import Verdict
from tests.core.jobs import ORIGIN, Pusher

DURABLE = Fate(durable=True)
FULL = JournalError("the disk is full", "full")


class Recording(Pusher):
    """An outbox whose journal is in the test's hand."""

    def __init__(self, workers: str = "a") -> None:
        super().__init__()
        self.given: list[tuple[Sequence[Change], Told | None]] = []
        self.after = 0
        ledger = Ledger(lambda changes, told: self.given.append((changes, told)), self._told)
        self.ledger = ledger
        self.box = Outbox("jobs", ORIGIN, 1, Settings(), Random(2), ledger)
        for worker in workers:
            self.box.open(worker.encode())
            self.grant(worker, 10)

    def _told(self, now: float) -> None:
        self.after += 1

    def durably(
        self,
        body: bytes = b"job",
        *,
        key: str | None = None,
        delay: float = 0.0,
        unique: str | None = None,
        fate: Fate = DURABLE,
        staged: int | None = None,
    ) -> Entry:
        entry = Entry()
        self.add(1, body, wants=Wants(fate, delay, key, unique, 60.0, None, entry, staged))
        return entry

    def written(self, error: Exception | None = None) -> list[Change]:
        """Let the disk take, or refuse, what it is given; returns what that is."""
        self.ledger.hand_over()
        given, self.given = self.given, []
        for _, told in given:
            if told is not None:
                told(error, self.now)
        audit_outbox(self.box)
        return [change for changes, _ in given for change in changes]


def stored(number: int, **fields: object) -> StoredJob:
    job = StoredJob(queue="jobs", origin=b"B" * 16, number=number, body=b"old", pushed=-5.0, fate=DURABLE)
    return replace(job, **fields)  # type: ignore[arg-type]  # a test's


def test_it_goes_out_once_it_is_on_disk_and_not_before() -> None:
    pusher = Recording()
    entry = pusher.durably(b"body")
    assert pusher.send_all() == []
    assert not entry.safe
    (kept,) = pusher.written()
    assert isinstance(kept, Keep)
    assert (kept.job.origin, kept.job.number, kept.job.body, kept.job.fate) == (ORIGIN, 1, b"body", DURABLE)
    assert entry.safe
    assert pusher.box.recorded
    assert pusher.send_all() == [("a", 1, 1, 1)]


def test_what_is_not_durable_goes_before_and_is_never_written() -> None:
    pusher = Recording()
    pusher.durably()
    pusher.add(1)
    assert pusher.send_all() == [("a", 2, 1, 1)]
    pusher.ack("a", (2, 2))
    assert [type(change) for change in pusher.written()] == [Keep]
    pusher.send_all()
    pusher.ack("a", (1, 1))
    assert pusher.written() == [Done(ORIGIN, 1, 1)]


def test_acks_one_after_the_other_are_one_line_of_the_ledger() -> None:
    pusher = Recording()
    for _ in range(5):
        pusher.durably()
    pusher.written()
    pusher.send_all()
    for number in (1, 2, 3, 5):
        pusher.ack("a", (number, number))
    assert pusher.written() == [Done(ORIGIN, 1, 3), Done(ORIGIN, 5, 5)]


def test_what_the_disk_does_not_take_was_never_pushed() -> None:
    pusher = Recording()
    entry = pusher.durably(unique="order-17")
    assert [type(change) for change in pusher.written(FULL)] == [Keep]
    assert (entry.safe, entry.error) == (False, FULL)
    assert (pusher.box.depth, pusher.box.pushed, pusher.send_all()) == (0, 0, [])
    pusher.durably(unique="order-17")
    assert [type(change) for change in pusher.written()] == [Keep]
    assert [type(change) for change in pusher.written()] == [Claim]
    with pytest.raises(NotUnique):
        pusher.durably(unique="order-17")


def test_who_waits_no_more_has_pushed_nothing_and_the_journal_is_told() -> None:
    pusher = Recording()
    entry = Entry()
    wants = Wants(DURABLE, entry=entry)
    number = pusher.box.add(b"job", (), None, pusher.now, wants=wants)
    assert pusher.box.withdraw(number, wants)
    changes = pusher.written()
    assert [type(change) for change in changes] == [Keep, Done]
    assert changes[1] == Done(ORIGIN, number, number)
    assert (pusher.box.depth, pusher.send_all()) == (0, [])
    assert not pusher.box.withdraw(number, wants)


def test_what_is_on_disk_is_withdrawn_no_more() -> None:
    pusher = Recording()
    wants = Wants(DURABLE, entry=Entry())
    number = pusher.box.add(b"job", (), None, pusher.now, wants=wants)
    pusher.written()
    assert not pusher.box.withdraw(number, wants)
    assert pusher.box.depth == 1


def test_failures_and_dead_letters_are_written_too() -> None:
    pusher = Recording()
    pusher.durably(fate=Fate(durable=True, max_attempts=2, backoff=1.0))
    pusher.written()
    pusher.send_all()
    pusher.back("a", Verdict.REFUSED, (1, 1))
    (failed,) = pusher.written()
    assert isinstance(failed, Failed)
    assert (failed.number, failed.failures, failed.due) == (1, 1, pusher.box.deadline)
    pusher.wake(2.0)
    pusher.send_all()
    pusher.back("a", Verdict.REFUSED, (1, 1), reason="no")
    (buried,) = pusher.written()
    assert isinstance(buried, Bury)
    assert buried.letter.reason == "failed 2 times; the last: no"
    pusher.box.retry(1, pusher.now)
    (kept,) = pusher.written()
    assert isinstance(kept, Keep)
    assert kept.job.number == 1


def test_a_dead_letter_of_a_volatile_job_is_in_the_journal_until_it_has_another_life() -> None:
    pusher = Recording()
    pusher.add(1, wants=Wants(Fate(max_attempts=1)))
    pusher.send_all()
    pusher.back("a", Verdict.REFUSED, (1, 1))
    assert [type(change) for change in pusher.written()] == [Bury]
    pusher.box.retry(1, pusher.now)
    assert pusher.written() == [Done(ORIGIN, 1, 1)]
    pusher.send_all()
    pusher.back("a", Verdict.REFUSED, (1, 1))
    pusher.written()
    pusher.box.drop(1)
    assert pusher.written() == [Done(ORIGIN, 1, 1)]


def test_jobs_come_back_with_their_old_ids_flagged_and_are_struck_out_by_them() -> None:
    pusher = Recording()
    for number in (7, 8, 12):
        pusher.box.restore(stored(number), pusher.now)
    assert pusher.box.pushed == 0
    sent = []
    while (found := pusher.send()) is not None:
        sent.append((found[1].origin, found[1].first, found[1].count, found[1].attempt))
    assert sent == [(b"B" * 16, 7, 2, 2), (b"B" * 16, 12, 1, 2)]
    assert pusher.box.acks(b"a", [(b"B" * 16, -1, [(7, 8), (12, 12)])], pusher.now) == 3
    assert pusher.written() == [Done(b"B" * 16, 7, 8), Done(b"B" * 16, 12, 12)]


def test_what_comes_back_goes_on_as_it_was_meant() -> None:
    pusher = Recording()
    pusher.box.restore(stored(1, due=5.0), pusher.now)
    pusher.box.restore(stored(2, key="k"), pusher.now)
    pusher.box.restore(stored(3, key="k"), pusher.now)
    pusher.box.restore(stored(4, to="somebody"), pusher.now)
    pusher.box.restore(stored(5, due=-1.0, failures=3), pusher.now)
    audit_outbox(pusher.box)
    assert pusher.box.deadline == 5.0
    backlog = pusher.box.backlog
    assert (len(backlog.pauses), len(backlog.keys), backlog.directed.targets) == (1, 2, ["somebody"])
    (ready,) = backlog.ready
    assert ready.failures == 3


def test_who_leaves_waits_for_durable_jobs_only_where_somebody_takes_them() -> None:
    pusher = Recording()
    pusher.durably()
    assert pusher.box.owed(served=False) == 1, "it is not on disk yet"
    pusher.durably(delay=60.0)
    pusher.written()
    pusher.add(1)
    assert (pusher.box.depth, pusher.box.durable) == (3, 2)
    assert (pusher.box.owed(served=False), pusher.box.owed(served=True)) == (1, 2)


def test_a_staged_row_is_written_apart() -> None:
    pusher = Recording()
    pusher.durably()
    pusher.durably(staged=9)
    pusher.durably()
    pusher.ledger.hand_over()
    assert [[getattr(change, "staged", None) for change in changes] for changes, _ in pusher.given] == [
        [None],
        [9],
        [None],
    ]


def test_a_claim_is_written_when_its_job_is_and_a_job_that_comes_back_brings_it() -> None:
    pusher = Recording()
    wants = Wants(DURABLE, unique="order-17", window=60.0, entry=Entry())
    number = pusher.box.add(b"job", (), None, pusher.now, wants=wants)
    assert pusher.box.withdraw(number, wants)
    assert not any(isinstance(change, Claim) for change in pusher.written())
    pusher.box.restore(stored(7, unique="order-18"), pusher.now)
    with pytest.raises(NotUnique):
        pusher.durably(unique="order-18")


def test_a_dead_letter_is_written_anew_when_it_is_tried_again() -> None:
    pusher = Recording()
    pusher.durably(fate=Fate(durable=True, max_attempts=1, ttl=60.0))
    pusher.written()
    pusher.send_all()
    pusher.back("a", Verdict.REFUSED, (1, 1))
    pusher.written()
    pusher.now = 1_000.0
    pusher.box.retry(1, pusher.now)
    (kept,) = pusher.written()
    assert isinstance(kept, Keep)
    assert (kept.job.pushed, kept.job.failures) == (1_000.0, 0)


def test_the_loss_of_its_worker_is_written_against_a_job() -> None:
    pusher = Recording()
    pusher.durably(fate=Fate(durable=True, max_attempts=3))
    pusher.written()
    pusher.send_all()
    pusher.ack("a", begun=1)
    pusher.lose("a")
    (failed,) = pusher.written()
    assert isinstance(failed, Failed)
    assert (failed.number, failed.failures) == (1, 1)


def test_what_comes_back_from_the_future_was_pushed_now() -> None:
    pusher = Recording()
    mortal = replace(stored(1), pushed=pusher.now + 3_600.0, fate=Fate(durable=True, ttl=10.0))
    pusher.box.restore(mortal, pusher.now)  # somebody has set the clock back by an hour
    assert pusher.box.deadline == pusher.now + 10.0
    pusher.now += 1.0
    sent = pusher.send()
    assert sent is not None
    assert sent[1].held == 1.0
    assert pusher.box.settle(b"a", -1, [(1, 1)], pusher.now) == 1
    assert pusher.box.waited == 1.0


def test_the_id_of_a_job_that_comes_back_is_free_an_hour_after_its_push() -> None:
    pusher = Recording()
    pusher.box.restore(replace(stored(1, unique="order-17"), pushed=pusher.now - 3_000.0), pusher.now)
    with pytest.raises(NotUnique) as refused:
        pusher.durably(unique="order-17")
    assert refused.value.left == pytest.approx(600.0)
    pusher.now += 601.0
    pusher.durably(unique="order-17")
