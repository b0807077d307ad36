"""What a durable push that raised may have left behind, and that ``unique=`` tells a second try from a first."""

from __future__ import annotations

import pytest

from meshmq.errors import NotUnique
from tests.core.life import Life, empty


def test_who_gave_up_before_the_disk_had_it_has_pushed_nothing_and_may_try_again() -> None:
    store = empty()
    life = Life(store)
    ((number, wants),) = life.push_durably(b"first", unique="order-17")
    assert life.take_back(number, wants)
    life.push_durably(b"second", unique="order-17")
    life.disk()
    assert [job.body for job in store.recover().jobs] == [b"second"]
    assert life.finish_all() == [b"second"]


@pytest.mark.parametrize(("written", "left"), [(0, []), (1, [b"first"]), (2, []), (3, [b"second"])])
def test_wherever_a_kill_cuts_that_there_is_one_of_them_at_most(written: int, left: list[bytes]) -> None:
    store = empty()
    life = Life(store)
    life.take_back(*life.push_durably(b"first", unique="order-17")[0])
    life.push_durably(b"second", unique="order-17")
    life.disk_until_killed(written)
    again = Life(store)
    if left:
        with pytest.raises(NotUnique):
            again.push_durably(b"third", unique="order-17")
    assert again.finish_all() == left


def test_who_was_cancelled_while_the_disk_had_it_has_pushed_it_and_a_second_try_is_refused() -> None:
    store = empty()
    life = Life(store)
    ((number, wants),) = life.push_durably(b"first", unique="order-17")
    life.disk(once=True)
    assert not life.take_back(number, wants)
    with pytest.raises(NotUnique):
        life.push_durably(b"second", unique="order-17")
    again = Life(store)  # killed before the journal had more than the job
    with pytest.raises(NotUnique):
        again.push_durably(b"second", unique="order-17")
    assert again.finish_all() == [b"first"]
    done = Life(store)
    with pytest.raises(NotUnique):
        done.push_durably(b"second", unique="order-17")
    assert done.finish_all() == []
