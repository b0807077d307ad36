"""Runs a scenario under a seed; a run that fails says how to see it again."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from meshmq.testing.faults import Faults
from meshmq.testing.scenario import Scenario
from meshmq.testing.simulation import Simulation

#: A run with more steps than this is a mesh that talks without end.
STEPS: Final = 2_000_000
JOBS: Final = "meshmq.testing.jobs:Jobs"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run that held all its promises was like."""

    seed: int
    seconds: float
    """Virtual time."""
    events: int
    """How often a node was handed something."""
    trace_hash: str
    """Equal for equal runs, also in another process."""
    counts: Mapping[str, int]
    """Direct messages ``sent``, ``arrived`` and ``lost``, and every kind of fault."""


class SimulationFailed(AssertionError):
    """A run broke a promise; the sentence holds the seed, the last lines of the trace and the replay."""

    def __init__(self, sentence: str, seed: int) -> None:
        super().__init__(sentence)
        self.seed = seed


def simulate(
    seed: int,
    *,
    scenario: Scenario,
    nodes: int = 5,
    faults: Faults | None = None,
    patience: float = 60.0,
    afterwards: float = 2.0,
    listener: Callable[[str], object] | None = None,
) -> Report:
    """Run ``scenario`` under the faults of ``seed``, through its healing, to its end.

    ``scenario`` is a fresh instance for every run. Faults stop at ``faults.until``; within
    ``patience`` virtual seconds the scenario must be finished and still be so ``afterwards``
    seconds later (late repeats and late ends have shown by then); then it is checked.

    Raises:
        SimulationFailed: something was broken, raised, or did not converge.
    """
    faults = faults if faults is not None else Faults()
    sim: Simulation | None = None
    try:
        sim = Simulation(seed, scenario, nodes=nodes, faults=faults, listener=listener)
        sim.run(until=faults.until, steps=STEPS)
        _converge(sim, faults.until + patience, afterwards)
        scenario.check(sim)
    except Exception as error:
        trace = "\n".join(sim.trace.lines) if sim is not None else "(before the first event)"
        raise SimulationFailed(
            f"seed {seed} fails: {type(error).__name__}: {error}\n"
            f"the last lines of its trace:\n{trace}\n"
            f"replay it with: {command(seed, scenario, nodes, faults)}",
            seed,
        ) from error
    return Report(seed, sim.now, sim.events, sim.trace_hash, dict(sim.counts))


def _converge(sim: Simulation, limit: float, afterwards: float) -> None:
    finished = False
    while not finished:
        if not sim.run(until=limit, steps=STEPS, stop=lambda: sim.scenario.finished(sim)):
            late, missing = sim.now - sim.faults.until, sim.scenario.missing(sim)
            raise AssertionError(f"not finished {late:.1f} s after the last fault{missing and ': '}{missing}")
        sim.run(until=sim.now + afterwards, steps=STEPS)
        finished = sim.scenario.finished(sim)


def command(seed: int, scenario: Scenario, nodes: int, faults: Faults) -> str:
    """Return the command that runs the same again."""
    kind = type(scenario)
    parts = ["python -m meshmq.testing", f"--seed {seed}", f"--nodes {nodes}"]
    parts.append(f"--scenario {kind.__module__}:{kind.__qualname__}")
    parts += [f"--fault {name}={value}" for name, value in _changed(faults)]
    parts += [f"--set {name}={value}" for name, value in _changed(scenario)]
    return " ".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: one seed or several, with the trace on stderr if asked for."""
    parser = argparse.ArgumentParser(prog="python -m meshmq.testing", description="Replay a simulation.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=1, help="so many seeds from --seed on")
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--scenario", default=JOBS, metavar="MODULE:CLASS")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=VALUE", help="a field of Faults")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a field of the scenario")
    parser.add_argument("--trace", action="store_true", help="every line of the trace on stderr")
    options = parser.parse_args(arguments)
    module, _, name = options.scenario.partition(":")
    kind: Any = importlib.import_module(module)
    for part in name.split("."):
        kind = getattr(kind, part)
    listener = (lambda line: sys.stderr.write(f"{line}\n")) if options.trace else None
    for seed in range(options.seed, options.seed + options.count):
        try:
            scenario = kind(**_given(kind, options.set))
            faults = Faults(**_given(Faults, options.fault))
            report = simulate(seed, scenario=scenario, nodes=options.nodes, faults=faults, listener=listener)
        except SimulationFailed as failure:
            sys.stderr.write(f"{failure}\n")
            return 1
        counts = ", ".join(f"{count} {what}" for what, count in sorted(report.counts.items()))
        sys.stdout.write(
            f"seed {seed} holds: {report.events} events in {report.seconds:.1f} s, {report.trace_hash}; {counts}\n"
        )
    return 0


def _changed(instance: object) -> list[tuple[str, object]]:
    if not is_dataclass(instance):
        return []
    values = [(field, getattr(instance, field.name)) for field in fields(instance) if field.init]
    return [
        (field.name, value)
        for field, value in values
        if isinstance(value, int | float | str) and value != field.default
    ]


def _given(kind: type, texts: Sequence[str]) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(kind)} if is_dataclass(kind) else {}
    given: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        default = defaults.get(name, "")
        if isinstance(default, bool):
            given[name] = value == "True"
        else:
            given[name] = type(default)(value) if isinstance(default, int | float) else value
    return given
