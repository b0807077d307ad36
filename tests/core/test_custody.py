"""Chains of stages, under everything that networks do to them; and what ids of outputs are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.core.custody import Input, Outputs, output_id
from meshmq.core.keeping import Keeping
from meshmq.core.outbox import Outbox
from meshmq.core.routes import Route
from meshmq.core.runs import Run
from meshmq.core.settling import Settling
from meshmq.core.sources import Source
from meshmq.settings import Settings
from meshmq.testing import SimulationFailed, simulate
from meshmq.wire.row import Row
from tests.core.chain import Chain
from tests.replays import hold, same_everywhere
from tests.scale import scale

SCENARIO = "tests.core.chain:Chain"
NODES = ["--nodes", "7"]


@pytest.mark.timeout(900)
def test_no_job_is_confirmed_before_all_that_is_made_of_it() -> None:
    count = scale(test=1, stress=40)
    hold(SCENARIO, (0, count, NODES), (20_000, count, [*NODES, "--set", "batch=4"]))


@pytest.mark.stress
def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    same_everywhere(SCENARIO, 10, scale(test=1, stress=4), *NODES)


def confirm_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Keeping, "handle", lambda *_: [])


def flag_nothing(patch: pytest.MonkeyPatch) -> None:
    whole = Outbox.add

    def add(self: Outbox, *arguments: Any) -> int:
        for one in arguments[-1]:
            one.attempt = 1
        return whole(self, *arguments)

    patch.setattr(Outbox, "add", add)


def forget_who_is_held(patch: pytest.MonkeyPatch) -> None:
    def lose_none(self: Route, spans: object) -> None:
        self.in_flight -= len(self.flights)
        self.flights.clear()

    patch.setattr(Route, "hold", lose_none)


def free_without_a_bound(patch: pytest.MonkeyPatch) -> None:
    whole = Settling.__init__

    def unbounded(self: Settling, queue: str, settings: Settings) -> None:
        whole(self, queue, Settings())

    patch.setattr(Settling, "__init__", unbounded)


MUTANTS = [confirm_at_once, flag_nothing, forget_who_is_held, free_without_a_bound]


@pytest.mark.stress
@pytest.mark.parametrize("mutate", MUTANTS)
def test_mutants_are_caught(mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    with pytest.raises(SimulationFailed):
        _simulate(40)


def _simulate(seeds: int) -> None:
    for seed in range(seeds):
        simulate(seed, scenario=Chain(), nodes=7)


def made_input(origin: bytes = b"O" * 16, number: int = 7, attempt: int = 1) -> Input:
    return Input("jobs", origin, number, attempt, Source(b"peer"), "consumer")


def test_what_is_made_one_by_one_keeps_the_numbers_of_what_it_is_made_of() -> None:
    ids = [output_id([made_input(number=number)], "made") for number in (4, 5, 6)]
    assert {origin for origin, _ in ids} == {ids[0][0]}
    assert [number for _, number in ids] == [4, 5, 6]


def test_ids_follow_from_the_inputs_the_queue_and_the_place_and_nothing_else() -> None:
    def ids(*inputs: Input, queue: str = "made") -> list[tuple[bytes, int]]:
        return [output_id(inputs, queue) for _ in range(3)]

    one, other = made_input(), made_input(number=8)
    assert ids(made_input()) == ids(made_input(attempt=5))
    several = [ids(made_input()), ids(made_input(), queue="others"), ids(other), ids(made_input(b"P" * 16))]
    several += [ids(one, other), ids(other, one)]
    assert len({found for row in several for found in row}) == 18


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2**64 - 1)), max_size=20))
def test_numbers_off_the_wire_find_what_is_there_and_no_more(spans: list[tuple[int, int]]) -> None:
    outputs = Outputs()
    for own in range(10):
        outputs.add(own + 100, b"O" * 16, 2 * own)
    ranges = [(first, first + length) for first, length in spans]
    wanted = {own + 100 for own in range(10) if any(first <= 2 * own <= last for first, last in ranges)}
    assert {number for pair in outputs.own(b"O" * 16, ranges) for number in pair} == wanted
    assert not list(outputs.own(b"P" * 16, ranges))


def test_a_batch_holds_numbers_that_follow_each_other() -> None:
    outputs = Outputs()
    for own, (origin, number) in {2: (b"a", 1), 3: (b"a", 2), 4: (b"b", 3), 6: (b"b", 5), 7: (b"b", 7)}.items():
        outputs.add(own, origin, number)
    run = Run(1, Row.of([b""] * 8), 0.0)
    cuts = []
    while run.bodies:
        most = outputs.fitting(run, len(run.bodies))
        cuts.append(most)
        run = run.cut(most, len(run.bodies))
    assert cuts == [1, 2, 1, 1, 1, 1, 1]
