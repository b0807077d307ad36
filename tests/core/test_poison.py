"""A durable job that kills the node which pushed it becomes a dead letter, too, and its neighbours are done."""

from __future__ import annotations

from meshmq.core.records import Keep, Taken
from meshmq.errors import JournalError
from meshmq.fate import Fate
from tests.core.life import Life, empty
from tests.core.village import body

COUNTED = Fate(durable=True, max_attempts=2)


def test_nobody_gets_such_a_job_before_the_journal_knows_it() -> None:
    life = Life(empty())
    life.take(0)
    life.push_durably(b"one", fate=COUNTED)
    life.disk(once=True)
    assert life.take(0) is None
    assert [type(change) for change in life.disk(once=True)] == [Taken]
    assert life.take(0) is not None


def test_a_job_that_kills_its_node_is_a_dead_letter_in_the_end_and_the_others_are_done() -> None:
    store = empty()
    life = Life(store)
    life.push_durably(b"poison", b"two", b"three", fate=COUNTED)
    assert life.gets() == b"poison"
    for _ in range(2):  # which of the three it was is seen when each goes alone
        life = Life(store)
        assert life.gets() == b"poison"
        assert life.take(0) is None
    life = Life(store)
    life.disk()
    assert life.letters == [(b"poison", "failed 2 times; the last: its node ended while it was at work on it")]
    assert life.finish_all() == [b"two", b"three"]
    life.disk()
    recovered = store.recover()
    assert (recovered.jobs, [letter.job.body for letter in recovered.letters]) == ([], [b"poison"])
    assert life.said[-1].startswith("a job of 'jobs' is a dead letter now")


def test_so_it_is_with_a_key() -> None:
    store = empty()
    life = Life(store)
    life.push_durably(b"poison", b"two", key="k", fate=COUNTED)
    for _ in range(3):
        assert life.gets() == b"poison"
        life = Life(store)
    assert [one for one, _ in life.letters] == [b"poison"]
    assert life.finish_all() == [b"two"]


def test_what_goes_back_is_not_suspected() -> None:
    store = empty()
    life = Life(store)
    life.push_durably(b"one", b"two", fate=COUNTED)
    assert life.gets() == b"one"
    assert [job.taken for job in store.recover().jobs] == [True, True]
    life.leave(0)
    life.disk()
    assert [(job.taken, job.failures) for job in store.recover().jobs] == [(False, 0), (False, 0)]
    crashed = Life(store)
    assert crashed.gets() == b"one"
    alone = Life(store)
    assert alone.gets() == b"one"
    assert [(job.taken, job.failures) for job in store.recover().jobs] == [(True, 1), (True, 0)]
    alone.leave(0)
    alone.disk()
    assert [(job.taken, job.failures) for job in store.recover().jobs] == [(False, 0), (True, 0)]


def test_a_disk_that_is_full_holds_nothing_up() -> None:
    life = Life(empty())
    life.take(0)
    life.push_durably(b"one", fate=COUNTED)
    life.disk(once=True)
    life.disk(JournalError("the disk is full", "full"), once=True)
    hand = life.take(0)
    assert hand is not None
    assert body(hand) == b"one"


def test_where_failures_do_not_count_nothing_is_written() -> None:
    life = Life(empty())
    life.take(0)
    life.push_durably(b"one")
    assert [type(change) for change in life.disk()] == [Keep]
    assert life.take(0) is not None
    assert life.disk() == []
