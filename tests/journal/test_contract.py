"""What holds for a journal over any store: it keeps what it was told to, in order, and nobody waits in vain."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from meshmq.core.records import Bury, Claim, Failed, Forget, Keep, Taken, Tell
from meshmq.errors import ClosedError, JournalError
from tests.journal.places import (
    LIMIT,
    ORIGIN,
    Place,
    Waiter,
    done,
    full_job,
    job,
    keeps,
    letter,
    message,
    numbers,
    write,
)

LATER = 1e11


def test_new_journal_is_empty(place: Place) -> None:
    recovered = place.again()
    assert not recovered.jobs
    assert not recovered.letters
    assert not recovered.claims
    assert not recovered.messages
    assert not recovered.heads


def test_what_was_kept_comes_back_as_it_was_and_in_order(place: Place) -> None:
    journal = place.open()
    assert write(journal, Keep(job(2)), Keep(full_job(9)), Keep(job(1))) is None
    assert write(journal, Keep(job(3))) is None
    journal.close(LIMIT)
    assert place.again().jobs == [job(2), full_job(9), job(1), job(3)]


def test_kept_again_replaces_and_goes_to_the_end(place: Place) -> None:
    journal = place.open()
    later = replace(job(1), failures=3)
    assert write(journal, *keeps(1, 3), Keep(later)) is None
    assert write(journal, Bury(letter(2)), Keep(job(2))) is None
    journal.close(LIMIT)
    recovered = place.again()
    assert recovered.jobs == [job(3), later, job(2)]
    assert not recovered.letters


def test_done_forgets_a_range_also_of_letters_and_unknown_ones(place: Place) -> None:
    other = b"o" * 16
    journal = place.open()
    assert write(journal, *keeps(5, 9), Keep(job(7, origin=other)), Bury(letter(6)), Bury(letter(20))) is None
    assert write(journal, done(1, 7), done(19, 2**63 - 1), done(9)) is None
    journal.close(LIMIT)
    recovered = place.again()
    assert recovered.jobs == [job(8), job(7, origin=other)]
    assert not recovered.letters


def test_many_scattered_ranges_are_forgotten_at_once(place: Place) -> None:
    journal = place.open()
    assert write(journal, *keeps(1, 1_500)) is None
    assert write(journal, *[done(number) for number in range(1, 1_500, 2)]) is None
    journal.close(LIMIT)
    assert numbers(place.again()) == list(range(2, 1_501, 2))


def test_done_before_it_is_kept_again_does_not_take_the_new_one(place: Place) -> None:
    journal = place.open()
    assert write(journal, Keep(job(1)), done(1), Keep(job(1)), done(2)) is None
    journal.close(LIMIT)
    assert numbers(place.again()) == [1]


def test_failures_are_noted_on_jobs_alone(place: Place) -> None:
    journal = place.open()
    assert write(journal, *keeps(1, 2), Bury(letter(3))) is None
    assert write(journal, Failed(ORIGIN, 2, 1, None), Failed(ORIGIN, 3, 9, 1.0), Failed(ORIGIN, 2, 2, 7.5)) is None
    journal.close(LIMIT)
    recovered = place.again()
    assert recovered.jobs == [job(1), replace(job(2), failures=2, due=7.5)]
    assert recovered.letters == [letter(3)]


def test_what_is_taken_is_noted_on_jobs_alone_and_range_by_range(place: Place) -> None:
    journal = place.open()
    assert write(journal, *keeps(1, 5), Bury(letter(3)), Taken(ORIGIN, 1, 4, taken=True)) is None
    assert write(journal, Taken(ORIGIN, 2, 2**63 - 1, taken=False), Taken(b"o" * 16, 2, 9, taken=True)) is None
    assert write(journal, Taken(ORIGIN, 5, 9, taken=True)) is None
    journal.close(LIMIT)
    recovered = place.again()
    assert [one.number for one in recovered.jobs if one.taken] == [1, 5]
    assert recovered.letters == [letter(3)]


def test_buried_job_is_a_letter_and_no_job(place: Place) -> None:
    journal = place.open()
    assert write(journal, *keeps(1, 3)) is None
    assert write(journal, Bury(letter(2)), Bury(letter(8))) is None
    journal.close(LIMIT)
    recovered = place.again()
    assert numbers(recovered) == [1, 3]
    assert recovered.letters == [letter(2), letter(8)]


def test_claims_are_kept_until_they_are_over(place: Place) -> None:
    journal = place.open()
    assert write(journal, Claim("orders", "a", LATER), Claim("orders", "b", LATER), Claim("bills", "a", LATER)) is None
    assert write(journal, Claim("orders", "b", 1.0), Claim("bills", "a", LATER + 1), Claim("orders", "c", 1.0)) is None
    journal.close(LIMIT)
    assert place.again().claims == {("orders", "a"): LATER, ("bills", "a"): LATER + 1}


def test_messages_come_back_by_topic_and_number_and_heads_stay(place: Place) -> None:
    journal = place.open()
    assert write(journal, Tell(message(2)), Tell(message(1)), Tell(message(1, "a")), Tell(message(3))) is None
    assert write(journal, Forget("weather", 3), Forget("a", 2), Forget("nothing", 5)) is None
    journal.close(LIMIT)
    recovered = place.again()
    assert recovered.messages == [message(3)]
    assert recovered.heads == {"weather": (1, 3), "a": (1, 1)}


def test_new_epoch_begins_anew_and_forget_takes_the_old_one(place: Place) -> None:
    journal = place.open()
    old, new = message(9, epoch=4), message(1, epoch=3)
    assert write(journal, Tell(old), Tell(new)) is None
    journal.close(LIMIT)
    recovered = place.again()
    assert recovered.messages == [new, old]
    assert recovered.heads == {"weather": (3, 1)}
    journal = place.open()
    assert write(journal, Forget("weather", 1)) is None
    journal.close(LIMIT)
    assert place.again().messages == [new]


def test_who_waits_is_told_in_another_thread_and_once_it_is_kept(place: Place) -> None:
    journal, gate = place.gated()
    gate.open.clear()
    waiter = Waiter()
    journal.write(keeps(1, 1), waiter)
    assert gate.entered.wait(LIMIT)
    assert not waiter.told
    gate.open.set()
    assert waiter.answer() is None
    assert waiter.thread is not threading.current_thread()


def test_what_comes_meanwhile_is_one_transaction(place: Place) -> None:
    journal, gate = place.gated()
    gate.open.clear()
    waiters = [Waiter() for _ in range(20)]
    for number, waiter in enumerate(waiters, 1):
        journal.write(keeps(number, number), waiter)
        assert gate.entered.wait(LIMIT)
    gate.open.set()
    assert [waiter.answer() for waiter in waiters] == [None] * 20
    assert [len(commit) for commit in gate.commits] == [1, 19]


def test_many_threads_write_each_in_its_order(place: Place) -> None:
    journal = place.open()

    def writes(origin: bytes) -> None:
        for number in range(1, 51):
            assert write(journal, Keep(job(number, origin=origin))) is None

    origins = [bytes([number]) * 16 for number in range(8)]
    threads = [threading.Thread(target=writes, args=(origin,)) for origin in origins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    journal.close(LIMIT)
    kept = place.again().jobs
    assert all([one.number for one in kept if one.origin == origin] == list(range(1, 51)) for origin in origins)


def test_closing_writes_what_is_left_and_tells(place: Place) -> None:
    journal, gate = place.gated()
    gate.open.clear()
    waiter = Waiter()
    journal.write(keeps(1, 10))
    assert gate.entered.wait(LIMIT)
    journal.write(keeps(11, 20), waiter)
    assert not journal.close(0)
    gate.open.set()
    assert journal.close(LIMIT)
    assert waiter.answer() is None
    assert numbers(place.again()) == list(range(1, 21))


def test_closed_journal_takes_nothing(place: Place) -> None:
    journal = place.open()
    assert journal.close(LIMIT)
    with pytest.raises(ClosedError, match="closed"):
        journal.write(keeps(1, 1))


def test_callback_that_fails_stops_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    journal = place.open()

    def fails(error: JournalError | None) -> None:
        raise RuntimeError("not my fault")

    journal.write(keeps(1, 1), fails)
    assert write(journal, *keeps(2, 2)) is None
    assert "not my fault" in caplog.text
