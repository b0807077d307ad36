"""Devices between publishers and subscribers, under everything networks do to them; and mutants that are caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshmq.core.feed.path import Path
from meshmq.core.feed.tap import Tap
from meshmq.core.relay.topics import Topics
from meshmq.core.relay.upstream import Upstream
from meshmq.testing import Faults, SimulationFailed, simulate
from meshmq.wire.relaying import Echo
from tests.core.feed.arcade import Arcade
from tests.replays import hold, same_everywhere
from tests.scale import scale

SCENARIO = "tests.core.feed.arcade:Arcade"
#: Nothing is lost, and all takes its time: two ways together less than a path may be silent.
LATE = replace(Faults.none(until=12), delay_most=0.08)
UNTIL = ["--fault", "until=15.0"]
FEWER = ["--set", f"messages={scale(test=120, stress=300)}"]
ONE, THREE = [*UNTIL, *FEWER, "--nodes", "5"], [*UNTIL, *FEWER, "--nodes", "7"]


def hold_both(first: int, count: int, *more: str) -> None:
    """Simulate one device before publishers that keep everything, and three before those who keep nothing."""
    hold(SCENARIO, (first, count, [*ONE, *more]), (first + 10_000, count, [*THREE, "--set", "kept=False", *more]))


@pytest.mark.timeout(scale(test=120, stress=1_800))
def test_with_devices_every_message_is_heard_or_told_as_missed_in_order_once() -> None:
    hold_both(0, scale(test=1, stress=40))


@pytest.mark.stress
@pytest.mark.timeout(1_800)
def test_devices_that_die_and_stop_and_leave_often() -> None:
    hold_both(20_000, 20, "--fault", "crashes=0.5", "--fault", "stalls=0.6", "--set", "leaves=0.5")


@pytest.mark.stress
@pytest.mark.timeout(1_800)
def test_links_that_break_often_and_publishers_that_nobody_can_dial() -> None:
    hold_both(40_000, 20, "--fault", "control_breaks=2.0", "--fault", "partitions=0.3")
    hold_both(60_000, 10, "--set", "hidden=2")


@pytest.mark.timeout(scale(test=120, stress=1_800))
def test_where_nothing_is_lost_on_the_way_nothing_is_missed_when_devices_come_and_leave() -> None:
    for seed in range(scale(test=1, stress=20)):
        arcade = Arcade(kept=False, strict=True, leaves=0.4, messages=scale(test=120, stress=300))
        simulate(seed, scenario=arcade, nodes=6, faults=LATE)
        assert arcade.crossed


@pytest.mark.stress
def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    same_everywhere(SCENARIO, 3, 10, *THREE)


def leave_a_path_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Path, "exhausted", lambda self, after, now: True)


def trust_a_path_without_an_echo(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Path, "brings", lambda self, string: self.tag + string in self.tuner.strings)


def believe_every_hole(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tap, "passed", lambda self, turn: True)


def answer_probes_too_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Upstream, "ask", lambda self, subscriber, probe: Echo(self.publisher, self.path.turn or 1, probe))


def forget_who_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Upstream, "answered", lambda self, echo, now: self.path.answered(echo, now) or [])


def keep_what_nobody_wants(patch: pytest.MonkeyPatch) -> None:
    whole = Topics._want
    patch.setattr(Topics, "_want", lambda self, publisher, string, sign: whole(self, publisher, string, max(0, sign)))


def simulate_many(seeds: range) -> None:
    for seed in seeds:
        simulate(seed, scenario=Arcade(kept=False, strict=True, leaves=0.4), nodes=6, faults=LATE)


@pytest.mark.stress
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "mutate",
    [
        leave_a_path_at_once,
        trust_a_path_without_an_echo,
        believe_every_hole,
        answer_probes_too_early,
        forget_who_asked,
        keep_what_nobody_wants,
    ],
)
def test_a_mutant_is_caught(mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    with pytest.raises(SimulationFailed, match=r"replay it with: python -m meshmq.testing --seed"):
        simulate_many(range(60))
