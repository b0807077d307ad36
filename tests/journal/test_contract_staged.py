"""What holds for staged jobs in any store: they become jobs once, or stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshmq.core.records import Keep, SetAside
from meshmq.errors import JournalError
from tests.journal.places import (
    LIMIT,
    Arrivals,
    Gate,
    Place,
    Waiter,
    job,
    numbers,
    staged,
    write,
)

FULL = JournalError("the disk is full", "full")


def test_staged_jobs_are_handed_on_and_become_jobs_once(place: Place) -> None:
    place.again()
    rows = [place.stage(staged(number)) for number in range(1, 4)]
    arrivals = Arrivals()
    journal = place.open(arrivals)
    journal.recover()
    found = arrivals.wait(3)
    assert found == [replace(staged(number), row=row) for number, row in enumerate(rows, 1)]
    assert write(journal, Keep(job(1), rows[0])) is None
    again = write(journal, Keep(job(2), rows[0]))
    assert again is not None
    assert again.reason == "withdrawn"
    place.withdraw(rows[1])
    gone = write(journal, Keep(job(3), rows[1]))
    assert gone is not None
    assert write(journal, SetAside(rows[2], "said before")) is None
    journal.close(LIMIT)
    arrivals = Arrivals()
    journal = place.open(arrivals)
    assert numbers(journal.recover()) == [1]
    late = place.stage(staged(9))
    journal.look()
    assert [row.row for row in arrivals.wait(1)] == [late]


def test_staged_jobs_that_are_not_answered_come_again_after_a_restart(place: Place) -> None:
    place.again()
    row = place.stage(staged(1))
    for _ in range(2):
        arrivals = Arrivals()
        journal = place.open(arrivals)
        journal.recover()
        assert [one.row for one in arrivals.wait(1)] == [row]
        journal.close(LIMIT)


def test_staged_jobs_are_handed_on_some_at_a_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.journal.handing.STAGED", 4)
    place.again()
    for number in range(1, 11):
        place.stage(staged(number))
    arrivals = Arrivals()
    journal = place.open(arrivals)
    journal.recover()
    for number in range(1, 11):
        row = arrivals.wait(number)[number - 1]
        assert len(arrivals.rows) <= 4 * (1 + (number - 1) // 4)
        assert write(journal, Keep(job(number), row.row)) is None
    journal.close(LIMIT)
    assert numbers(place.again()) == list(range(1, 11))


def test_staged_job_is_never_given_up(place: Place) -> None:
    place.again()
    row = place.stage(staged(1))
    journal, gate = place.gated()
    gate.error = FULL
    waiter = Waiter()
    journal.write([Keep(job(1), row)], waiter)
    assert write(journal, Keep(job(2))) is FULL
    assert not waiter.told
    gate.error = None
    assert write(journal) is None
    assert waiter.answer() is None
    journal.close(LIMIT)
    assert numbers(place.again()) == [1]


def test_staged_job_that_can_never_be_kept_holds_up_no_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.journal.handing.STAGED", 1)
    place.again()
    rows = [place.stage(staged(number)) for number in (1, 2)]
    unusable = JournalError("the journal cannot keep this", "unusable")
    gate = Gate(place.store())
    gate.refuses = lambda changes: unusable if Keep(job(13), rows[0]) in changes else None
    arrivals = Arrivals()
    journal = place.open(arrivals, gate)
    journal.recover()
    assert [row.row for row in arrivals.wait(1)] == rows[:1]
    assert write(journal, Keep(job(13), rows[0])) is unusable
    assert [row.row for row in arrivals.wait(2)] == rows
