from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.links import vigil
from meshmq.links.bell import Bell
from meshmq.links.helm import Helm
from meshmq.links.nest import Nest
from meshmq.links.vigil import SPAN, Vigil


@pytest.fixture(autouse=True)
def several_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil, "_PAYS", True)


@pytest.fixture
def inner() -> Iterator[Bell]:
    inner = Bell()
    yield inner
    inner.close()


@pytest.fixture
def nest(inner: Bell) -> Iterator[Nest]:
    nest = Nest(inner.fileno())
    yield nest
    nest.close()


def tries(vigil: Vigil, waits: int, *, caught: bool) -> int:
    """Let it decide so many times; returns how often it stayed awake."""
    tried = 0
    for _ in range(waits):
        if vigil.begins():
            tried += 1
            vigil.ended(caught=caught)
    return tried


def test_who_waits_in_vain_tries_less_and_less() -> None:
    vigil = Vigil()
    assert tries(vigil, 10_000, caught=False) < 8 + 10_000 / 256 + 1
    assert tries(vigil, 256, caught=False) >= 1, "it never gives up for good"


def test_who_catches_something_stays_awake_each_time() -> None:
    vigil = Vigil()
    tries(vigil, 10_000, caught=False)
    tries(vigil, 256, caught=True)
    assert tries(vigil, 100, caught=True) == 100


@given(st.lists(st.booleans(), max_size=300))
def test_what_is_in_vain_stays_a_small_part_of_the_waits_after_it(outcomes: list[bool]) -> None:
    vigil = Vigil()
    for caught in outcomes:
        if vigil.begins():
            vigil.ended(caught=caught)
    assert tries(vigil, 2_560, caught=False) <= 8 + 10


def test_on_one_processor_nobody_stays_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil, "_PAYS", False)
    assert not tries(Vigil(), 1_000, caught=True)


def test_a_nest_is_left_at_once_when_something_is_there(nest: Nest, inner: Bell) -> None:
    inner.ring()
    assert nest.stay(60.0)
    nest.drain()
    inner.drain()
    nest.ring()
    assert nest.stay(60.0)
    nest.drain()
    assert not select.select([nest.fileno()], [], [], 0)[0], "its own ring is forgotten"


def test_a_nest_is_left_when_the_time_is_over(nest: Nest) -> None:
    began = time.perf_counter()
    assert not nest.stay(0.01)
    assert time.perf_counter() - began >= 0.01


def test_who_comes_while_somebody_stays_is_seen(nest: Nest, inner: Bell) -> None:
    thread = threading.Timer(0.02, inner.ring)
    thread.start()
    assert nest.stay(60.0)
    thread.join()


@pytest.mark.parametrize("stays", [False, True])
def test_at_the_helm_one_sleeps_in_the_end(inner: Bell, monkeypatch: pytest.MonkeyPatch, *, stays: bool) -> None:
    helm, stayed = Helm(inner.fileno(), 0.0), list[float]()

    def stay(_nest: Nest, seconds: float) -> bool:
        stayed.append(seconds)
        return False

    monkeypatch.setattr(Nest, "stay", stay)
    inner.ring()
    helm.watch(60.0, stays=stays)
    assert stayed == ([SPAN] if stays else [])
    helm.close()


def test_a_wait_of_no_time_is_no_wait_in_vain(inner: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    helm, stayed = Helm(inner.fileno(), 0.0), list[float]()

    def stay(_nest: Nest, seconds: float) -> bool:
        stayed.append(seconds)
        return True

    monkeypatch.setattr(Nest, "stay", stay)
    helm.watch(0.0, stays=True)
    assert not stayed
    helm.close()
