"""Condensed changes have the effect of all of them, and both stores make the same of any changes."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from meshmq.core.records import Bury, Change, Claim, Done, Failed, Forget, Keep, Recovered, Taken, Tell
from meshmq.journal.condensing import condense
from meshmq.journal.memory import MemoryStore
from meshmq.journal.sqlite import SqliteStore
from tests.journal.places import ORIGIN, done, job, letter, message

OTHER = b"o" * 16
origins = st.sampled_from((ORIGIN, OTHER))
few = st.integers(1, 6)
kept = st.builds(
    lambda number, origin, failures: replace(job(number, origin=origin), failures=failures), few, origins, few
)
changes = st.lists(
    st.one_of(
        st.builds(Keep, kept),
        st.builds(lambda one: Bury(replace(letter(1), job=one)), kept),
        st.builds(lambda origin, first, more: Done(origin, first, first + more), origins, few, st.integers(0, 3)),
        st.builds(Failed, origins, few, few, st.sampled_from((None, 7.5))),
        st.builds(
            lambda origin, first, more, taken: Taken(origin, first, first + more, taken),
            origins,
            few,
            st.integers(0, 3),
            st.booleans(),
        ),
        st.builds(Claim, st.just("orders"), st.sampled_from("ab"), st.sampled_from((1.0, 1e11, 2e11))),
        st.builds(lambda seq, topic, epoch: Tell(message(seq, topic, epoch=epoch)), few, st.sampled_from("ab"), few),
        st.builds(Forget, st.sampled_from("ab"), few),
    ),
    max_size=25,
)


def after(*commits: list[Change]) -> Recovered:
    store = MemoryStore()
    for commit in commits:
        store.commit(commit)
    return store.recover()


@given(changes, changes)
@example([], [Forget("a", 3), Tell(message(1, "a", epoch=2)), Forget("a", 1)])
@example([Tell(message(2, "a", epoch=2))], [Forget("a", 1), Tell(message(1, "a")), Forget("a", 1)])
@example(
    [],
    [
        Tell(message(2, "a", epoch=2)),
        Tell(message(1, "a", epoch=1)),
        Forget("a", 1),
        Tell(message(1, "a", epoch=2)),
        Forget("a", 1),
    ],
)
def test_condensed_changes_have_the_same_effect(before: list[Change], some: list[Change]) -> None:
    assert after(before, condense(some)) == after(before, some)


@given(st.lists(changes, max_size=3))
def test_both_stores_make_the_same_of_any_changes(commits: list[list[Change]]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        store = SqliteStore(Path(directory) / "orders.db", "shop")
        for commit in commits:
            store.commit(condense(commit))
        found = store.recover()
        store.close()
    assert found == after(*commits)


def test_neighbouring_ranges_become_one() -> None:
    assert condense([done(1, 3), done(4), done(7), done(6), done(2, 9)]) == [done(1, 4), done(2, 9)]
    assert condense([done(number) for number in range(1, 100)]) == [done(1, 99)]
