"""Runs a scenario under a seed; a run that fails says how to see it again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Final

from meshmq.testing.faults import Faults
from meshmq.testing.scenario import Scenario
from meshmq.testing.simulation import Simulation

#: A run with more steps than this is a mesh that talks without end.
STEPS: Final = 2_000_000


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
    traced: bool = True,
) -> Report:
    """Run ``scenario`` under the faults of ``seed`` (default: its own), through its healing, to its end.

    ``scenario`` is a fresh instance for every run. Faults stop at ``faults.until``; within
    ``patience`` virtual seconds the scenario must be finished and still be so ``afterwards``
    seconds later (late repeats and late ends have shown by then); then it is checked. One that is not
    ``traced`` is a little quicker, and has no trace to show.

    Raises:
        SimulationFailed: something was broken, raised, or did not converge.
    """
    faults = faults if faults is not None else scenario.faults
    sim: Simulation | None = None
    again = command(seed, scenario, nodes, faults)  # before the run changes anything
    try:
        sim = Simulation(seed, scenario, nodes=nodes, faults=faults, listener=listener, traced=traced)
        sim.run(until=faults.until, steps=STEPS)
        _converge(sim, faults.until + patience, afterwards)
        scenario.check(sim)
    except Exception as error:
        trace = "\n".join(sim.trace.lines) if sim is not None else "(before the first event)"
        cause = _alone(error)
        raise SimulationFailed(
            f"seed {seed} fails: {type(cause).__name__}: {cause}\n"
            f"the last lines of its trace:\n{trace}\n"
            f"replay it with: {again}",
            seed,
        ) from error
    return Report(seed, sim.now, sim.events, sim.trace_hash, dict(sim.counts))


def _alone(error: Exception) -> Exception:
    """Return what a group of one holds: of a program's tasks mostly one fails."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


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
    if "<locals>" in kind.__qualname__:
        return f"simulate({seed}, ...) as here; for a command {kind.__name__} must stand at the top of a module"
    parts = ["python -m meshmq.testing", f"--seed {seed}", f"--nodes {nodes}"]
    parts.append(f"--scenario {_module(kind)}:{kind.__qualname__}")
    parts += [f"--fault {name}={value}" for name, value in _changed(faults, scenario.faults)]
    parts += [f"--set {name}={value}" for name, value in _changed(scenario)]
    return " ".join(parts)


def _module(kind: type) -> str:
    """Return the name by which another process imports the module of a class; a program is one, too."""
    if kind.__module__ != "__main__":
        return kind.__module__
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    return main.__spec__.name if main.__spec__ else Path(file).stem if file else "__main__"


def _changed(instance: object, usual: object = None) -> list[tuple[str, object]]:
    """Return the fields that differ from those of ``usual``, else from their defaults."""
    if not is_dataclass(instance):
        return []
    values = [
        (field.name, getattr(instance, field.name), getattr(usual, field.name, field.default))
        for field in fields(instance)
        if field.init
    ]
    return [(name, value) for name, value, other in values if isinstance(value, int | float | str) and value != other]
