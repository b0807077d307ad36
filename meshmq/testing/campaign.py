"""Runs thousands of seeds in several processes, says how far it is, and stops at the first that fails."""

from __future__ import annotations

import gc
import importlib
import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from typing import Any, Final

from meshmq.names import counted
from meshmq.testing.faults import Faults
from meshmq.testing.replay import Report, SimulationFailed, simulate
from meshmq.testing.scenario import Scenario
from meshmq.testing.simulation import TRAFFIC

#: So many seeds go to a process at once.
SHARE: Final = 10
#: Seconds between two words on how far it is.
WORD_EVERY: Final = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run for a seed: a scenario by name (``module:Class``), its fields and faults as text, nodes."""

    scenario: str
    fields: Sequence[str] = ()
    faults: Sequence[str] = ()
    nodes: int = 5

    def run(self, seed: int, listener: Callable[[str], object] | None = None, *, traced: bool = True) -> Report:
        """Run one seed.

        Raises:
            SimulationFailed: it fails.
        """
        scenario = self.scenario_of_a_run()
        faults = replace(scenario.faults, **given(Faults, self.faults))
        return simulate(seed, scenario=scenario, nodes=self.nodes, faults=faults, listener=listener, traced=traced)

    def scenario_of_a_run(self) -> Scenario:
        """Return a fresh one."""
        module, _, name = self.scenario.partition(":")
        kind: Any = importlib.import_module(module)
        for part in name.split("."):
            kind = getattr(kind, part)
        made: Scenario = kind(**given(kind, self.fields))
        return made


@dataclass(slots=True)
class Outcome:
    """What came of some seeds: how many held, and the first that failed."""

    held: int = 0
    events: int = 0
    #: Seconds of a processor.
    work: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failure: str = ""

    def add(self, other: Outcome) -> None:
        """Add what came of others."""
        self.held += other.held
        self.events += other.events
        self.work += other.work
        self.counts.update(other.counts)
        self.failure = self.failure or other.failure

    def __str__(self) -> str:
        faults = sorted((kind, count) for kind, count in self.counts.items() if kind not in TRAFFIC)
        struck = ", ".join(f"{count:,} {kind}" for kind, count in faults) or "no faults"
        pace = self.held / self.work if self.work else 0.0
        return f"{counted(self.held, 'seed')} hold, {self.events:,} events, {pace:.1f} seeds/s on one core; {struck}"


def run(plan: Plan, seeds: range, *, processes: int, limit: float, say: Callable[[str], object]) -> Outcome:
    """Run ``seeds`` in so many processes until one fails, or for ``limit`` seconds; ``say`` is told how far it is."""
    outcome = Outcome()
    began = spoke = time.monotonic()
    shares = [seeds[at : at + SHARE] for at in range(0, len(seeds), SHARE)]
    # Spawned, not forked: nothing of this process is in a run.
    with multiprocessing.get_context("spawn").Pool(processes, _be_quick) as pool:
        for part in pool.imap_unordered(partial(_run_some, plan), shares):
            outcome.add(part)
            now = time.monotonic()
            if outcome.failure or now - began > limit:
                break
            if now - spoke > WORD_EVERY:
                spoke = now
                left = (len(seeds) - outcome.held) * (now - began) / outcome.held
                say(f"{outcome.held:,} of {len(seeds):,} seeds hold; about {left:.0f} s to go")
    return outcome


def _be_quick() -> None:
    gc.set_threshold(20_000)  # a run makes hardly any garbage that counting references does not free
    logging.getLogger("meshmq").addHandler(logging.NullHandler())


def _run_some(plan: Plan, seeds: range) -> Outcome:
    outcome, began = Outcome(), time.process_time()
    for seed in seeds:
        try:
            report = plan.run(seed, traced=False)
        except SimulationFailed as failure:
            outcome.failure = (
                _seen_again(plan, seed) or f"{failure}\n(run again it holds: it is not the same run twice)"
            )
            break
        outcome.held += 1
        outcome.events += report.events
        outcome.counts.update(report.counts)
    outcome.work = time.process_time() - began
    return outcome


def _seen_again(plan: Plan, seed: int) -> str:
    try:
        plan.run(seed)
    except SimulationFailed as failure:
        return str(failure)
    return ""


def given(kind: type, texts: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a dataclass that ``texts`` name (``name=value``), each of its default's type.

    Raises:
        ValueError: there is no such field, or the value is none.
    """
    defaults = {one.name: one.default for one in fields(kind)} if is_dataclass(kind) else {}
    return dict(_each_given(kind, defaults, texts))


def _each_given(kind: type, defaults: dict[str, Any], texts: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for text in texts:
        name, _, value = text.partition("=")
        if name not in defaults:
            raise ValueError(f"{kind.__name__} has no field {name!r}; it has {', '.join(defaults)}")
        default = defaults[name]
        if isinstance(default, bool):
            yield name, value == "True"
        else:
            yield name, type(default)(value) if isinstance(default, int | float) else value
