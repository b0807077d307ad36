from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.alarms import SLACK, Alarms


class Item:
    """Something that can be seen to go."""


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 20))), st.integers(0, 20))
def test_each_item_is_due_once_at_its_last_moment(settings: list[tuple[int, int | None]], now: int) -> None:
    alarms, plain = Alarms[int](), dict[int, int]()
    for item, moment in settings:
        alarms.set(item, moment)
        plain.pop(item, None)
        if moment is not None:
            plain[item] = moment
    assert len(alarms) == len(plain)
    assert alarms.deadline == min(plain.values(), default=None)
    due = alarms.due(now)
    assert sorted(due) == sorted(item for item, moment in plain.items() if moment <= now)
    assert [plain[item] for item in due] == sorted(plain[item] for item in due)
    assert alarms.deadline == min((moment for moment in plain.values() if moment > now), default=None)


@pytest.mark.parametrize("standing", [0, 1, 32])
def test_few_are_held_that_were_taken_back(standing: int) -> None:
    alarms, seen = Alarms[Item](), list[weakref.ref[Item]]()
    kept = [Item() for _ in range(standing)]
    for item in kept:
        alarms.set(item, 1.0)
    for _ in range(1_000):
        item = Item()
        seen.append(weakref.ref(item))
        alarms.set(item, 2.0)
        alarms.set(item, None)
        del item
    gc.collect()
    assert sum(one() is not None for one in seen) <= (standing + SLACK if standing else 0)
