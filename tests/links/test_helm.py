from __future__ import annotations

import select
from collections.abc import Iterator
from math import inf

import pytest

from meshmq.links.bell import Bell
from meshmq.links.helm import Helm


@pytest.fixture
def helm() -> Iterator[Helm]:
    inner = Bell()
    made = Helm(inner.fileno(), 0.0)
    made.armed = 100.0
    yield made
    made.leave()
    made.close()
    inner.close()


def rung(helm: Helm) -> bool:
    ready = bool(select.select([helm.fileno()], [], [], 0)[0])
    helm.drain()
    return ready


def test_whoever_says_nothing_of_its_sleep_is_rung_for_each_earlier_deadline(helm: Helm) -> None:
    helm.take(lends=False)
    helm.bring_forward(50.0)
    assert helm.armed == 50.0
    assert rung(helm)
    helm.bring_forward(60.0)
    assert helm.armed == 50.0
    assert not rung(helm)


def test_a_driver_is_rung_for_what_is_due_before_it_wakes_and_for_nothing_else(helm: Helm) -> None:
    helm.take(lends=True)
    helm.until = 10.0
    helm.bring_forward(50.0)
    assert not rung(helm)
    helm.bring_forward(5.0)
    assert rung(helm)


def test_who_borrows_is_rung_only_while_it_sleeps(helm: Helm) -> None:
    helm.take(lends=True)
    helm.until = 3.0
    assert helm.borrow(0.0)
    helm.bring_forward(50.0)
    assert not rung(helm)  # awake: it looks before it sleeps
    helm.borrowed_until = helm.armed
    helm.bring_forward(20.0)
    assert rung(helm)
    helm.give_back()
    helm.bring_forward(10.0)
    assert not rung(helm)  # the driver looks at 3 anyhow


def test_it_is_borrowed_by_one_at_a_time_and_only_from_who_lends(helm: Helm) -> None:
    assert not helm.borrow(0.0)
    helm.take(lends=False)
    assert not helm.borrow(0.0)
    helm.leave()
    helm.take(lends=True)
    assert helm.lent_at == -inf
    assert helm.borrow(7.0)
    assert helm.lent_at == 7.0
    assert not helm.borrow(8.0)
    helm.give_back()
    assert helm.borrow(9.0)
    helm.give_back()


def test_closed_while_somebody_sleeps_there_it_rings_and_stays_until_the_last_has_left() -> None:
    inner = Bell()
    helm = Helm(inner.fileno(), 0.0)
    descriptor = helm.take(lends=True)
    assert helm.borrow(0.0)
    helm.close()
    assert select.select([descriptor], [], [], 0)[0]
    helm.leave()
    assert helm.fileno() == descriptor
    assert not helm.borrow(1.0)
    helm.give_back()
    with pytest.raises(ValueError, match="closed"):
        helm.watch(0, stays=False)
    inner.close()
