"""A durable job that kills the node which pushed it becomes a dead letter, too, and its neighbours are done."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.core.hands import Hand
from meshmq.core.ledger import Told
from meshmq.core.records import Change, Keep, Taken
from meshmq.core.wants import Entry, Wants
from meshmq.errors import JournalError
from meshmq.fate import Fate
from meshmq.journal.memory import MemoryStore
from tests.core.village import Village, body

COUNTED = Fate(durable=True, max_attempts=2)


class Life(Village):
    """One incarnation of a node that pushes and pulls, with a disk that writes when the test says so."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(1)
        self._store = store
        self._given: list[tuple[Sequence[Change], Told | None]] = []
        recovered = store.recover()
        self.do(
            0, lambda node, now: node.recover(recovered, lambda changes, told: self._given.append((changes, told)), now)
        )
        self.open(0, 10)

    def push_durably(self, *bodies: bytes, fate: Fate = COUNTED, key: str | None = None) -> None:
        for one in bodies:
            wants = Wants(fate, key=key, entry=Entry())
            self.do(0, lambda node, now, one=one, w=wants: node.push("jobs", one, (), None, now, wants=w))  # type: ignore[misc]  # mypy cannot infer a default

    def disk(self, error: JournalError | None = None, *, once: bool = False) -> list[Change]:
        """Write what was given, or refuse it, and what is given then, unless only ``once``; returns it all."""
        written: list[Change] = []
        while self._given:
            given, self._given = self._given, []
            for changes, told in given:
                written += changes
                if error is None:
                    self._store.commit(changes)
                if told is not None:
                    self.do(0, lambda node, now, told=told: told(error, now))  # type: ignore[misc]  # mypy cannot infer a default
            if once:
                break
        return written

    def get(self) -> Hand | None:
        """Take a job, if one is here once the disk has written all."""
        self.do(0, lambda node, now: node.look("jobs", now))
        self.disk()
        return self.take(0)

    def gets(self) -> bytes:
        """Take a job; returns its body."""
        hand = self.get()
        assert hand is not None
        return body(hand)

    def finish_all(self) -> list[bytes]:
        """Do all there is."""
        done: list[bytes] = []
        while (hand := self.get()) is not None:
            done.append(body(hand))
            self.finish(0, hand)
        self.disk()
        return done

    @property
    def letters(self) -> list[tuple[bytes, str]]:
        box = self[0].outboxes.get("jobs")
        return [(letter.job.body, letter.reason) for letter in box.dead.letters.values()] if box else []


def test_nobody_gets_such_a_job_before_the_journal_knows_it() -> None:
    life = Life(MemoryStore())
    life.take(0)
    life.push_durably(b"one")
    life.disk(once=True)
    assert life.take(0) is None
    assert [type(change) for change in life.disk(once=True)] == [Taken]
    assert life.take(0) is not None


def test_a_job_that_kills_its_node_is_a_dead_letter_in_the_end_and_the_others_are_done() -> None:
    store = MemoryStore()
    life = Life(store)
    life.push_durably(b"poison", b"two", b"three")
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
    store = MemoryStore()
    life = Life(store)
    life.push_durably(b"poison", b"two", key="k")
    for _ in range(3):
        assert life.gets() == b"poison"
        life = Life(store)
    assert [one for one, _ in life.letters] == [b"poison"]
    assert life.finish_all() == [b"two"]


def test_what_goes_back_is_not_suspected() -> None:
    store = MemoryStore()
    life = Life(store)
    life.push_durably(b"one", b"two")
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
    life = Life(MemoryStore())
    life.take(0)
    life.push_durably(b"one")
    life.disk(once=True)
    life.disk(JournalError("the disk is full", "full"), once=True)
    hand = life.take(0)
    assert hand is not None
    assert body(hand) == b"one"


def test_where_failures_do_not_count_nothing_is_written() -> None:
    life = Life(MemoryStore())
    life.take(0)
    life.push_durably(b"one", fate=Fate(durable=True))
    assert [type(change) for change in life.disk()] == [Keep]
    assert life.take(0) is not None
    assert life.disk() == []
