"""What holds for a journal over any store whose disk takes nothing, or not everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from meshmq.core.records import Bury, Change, Claim, Failed, Forget, Keep, Taken, Tell
from meshmq.errors import JournalError
from tests.journal.places import (
    LIMIT,
    ORIGIN,
    Place,
    Waiter,
    done,
    job,
    keeps,
    letter,
    message,
    numbers,
    write,
)

FULL = JournalError("the disk is full", "full")
LATER = 1e11


def test_full_disk_gives_up_what_is_waited_for_and_nothing_else(place: Place) -> None:
    journal, gate = place.gated()
    assert write(journal, *keeps(1, 5)) is None
    gate.error = FULL
    assert write(journal, Keep(job(6)), done(2)) is FULL
    assert write(journal, Tell(message(1))) is FULL
    assert write(journal, Claim("orders", "a", LATER)) is FULL
    assert write(journal, Taken(ORIGIN, 1, 1, taken=True)) is FULL
    journal.write([done(3), Failed(ORIGIN, 4, 1, None), Keep(job(7)), Bury(letter(5))])
    assert journal.trouble is FULL
    gate.error = None
    assert write(journal, Keep(job(8))) is None
    assert journal.trouble is None
    journal.close(LIMIT)
    recovered = place.again()
    assert recovered.jobs == [job(1), replace(job(4), failures=1), job(7), job(8)]
    assert recovered.letters == [letter(5)]
    assert not recovered.messages
    assert not recovered.claims


def test_everything_goes_on_by_itself_once_there_is_room(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshmq.journal.writer.RETRY", 0.01)
    journal, gate = place.gated()
    assert write(journal, *keeps(1, 3)) is None
    gate.error = FULL
    waiter = Waiter()
    journal.write([done(1)], waiter)
    assert write(journal, Keep(job(4))) is FULL
    assert not waiter.told
    gate.error = None
    assert waiter.answer() is None
    journal.close(LIMIT)
    assert numbers(place.again()) == [2, 3]


def test_nothing_waits_for_ever_when_a_journal_is_closed_on_a_full_disk(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    journal, gate = place.gated()
    gate.error = FULL
    waiter = Waiter()
    journal.write([done(1)], waiter)
    journal.write([done(7)])
    assert journal.close(LIMIT)
    assert waiter.answer() is FULL
    assert "2 changes not written" in caplog.text


def test_what_waits_on_a_full_disk_is_condensed(place: Place) -> None:
    journal, gate = place.gated()
    gate.error = FULL
    for number in range(1, 1_001):
        journal.write([done(number), Failed(ORIGIN, 2_000, number, None), Forget("weather", number)])
    assert write(journal, Keep(job(1))) is FULL
    gate.error = None
    assert write(journal, Keep(job(5_000))) is None
    (commit,) = gate.commits
    assert commit == [done(1, 1_000), Failed(ORIGIN, 2_000, 1_000, None), Forget("weather", 1_000), Keep(job(5_000))]


def test_messages_that_nobody_waits_for_are_bounded_on_a_full_disk(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("meshmq.journal.writer.WAITING_BYTES", 1_000)
    journal, gate = place.gated()
    gate.error = FULL
    for number in range(1, 101):
        journal.write([Tell(message(number))])
    assert write(journal, Keep(job(1))) is FULL
    gate.error = None
    assert write(journal) is None
    journal.close(LIMIT)
    assert 5 < len(place.again().messages) < 20
    assert "published messages not kept" in caplog.text


def test_what_is_being_written_counts_as_waiting(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("meshmq.journal.writer.WAITING_BYTES", 1_000)
    journal, gate = place.gated()
    gate.open.clear()
    journal.write([Tell(message(number)) for number in range(1, 21)])
    assert gate.entered.wait(LIMIT)
    for number in range(21, 31):
        journal.write([Tell(message(number)), done(number)])
    gate.open.set()
    assert write(journal) is None
    journal.close(LIMIT)
    assert len(place.again().messages) == 20
    assert "10 published messages not kept" in caplog.text


def test_one_that_can_never_be_written_does_not_spoil_the_others(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    journal, gate = place.gated()
    unusable = JournalError("the journal cannot keep this", "unusable")
    gate.refuses = lambda changes: unusable if Keep(job(13)) in changes else None
    gate.open.clear()
    first, spoilt, last = Waiter(), Waiter(), Waiter()
    journal.write(keeps(1, 1))
    assert gate.entered.wait(LIMIT)
    journal.write(keeps(2, 2), first)
    journal.write([Keep(job(13)), done(1)], spoilt)
    journal.write([Keep(job(13))])
    journal.write(keeps(3, 3), last)
    gate.open.set()
    assert (first.answer(), spoilt.answer(), last.answer()) == (None, unusable, None)
    journal.close(LIMIT)
    assert numbers(place.again()) == [2, 3]
    assert caplog.text.count("cannot keep this") == 1


def test_order_holds_when_the_disk_is_full_for_one_after_another_that_can_never_be_written(place: Place) -> None:
    journal, gate = place.gated()
    unusable = JournalError("the journal cannot keep this", "unusable")
    asked: list[int] = []

    def refuses(changes: Sequence[Change]) -> JournalError | None:
        asked.append(len(changes))
        if Keep(job(13)) in changes:
            return unusable
        return FULL if done(1) in changes and len(asked) < 6 else None

    gate.refuses = refuses
    gate.open.clear()
    journal.write(keeps(1, 1))
    assert gate.entered.wait(LIMIT)
    journal.write(keeps(13, 13))
    journal.write([done(1)])
    journal.write(keeps(1, 1))
    gate.open.set()
    while write(journal, Keep(job(2))) is FULL:
        pass
    journal.close(LIMIT)
    assert numbers(place.again()) == [1, 2]


def test_store_that_breaks_its_promise_does_not_end_the_thread(place: Place) -> None:
    journal, gate = place.gated()

    def breaks(changes: object) -> JournalError | None:
        raise RuntimeError("a bug")

    fine, gate.refuses = gate.refuses, breaks
    error = write(journal, *keeps(1, 1))
    assert error is not None
    assert "a bug" in str(error)
    gate.refuses = fine
    assert write(journal, *keeps(2, 2)) is None
