"""Adds up what the nodes of a pipeline say of themselves: those that are here, and those that were."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from meshmq.pipeline.definition import Definition, Stage
from meshmq.pipeline.report import Report, StageReport

#: Over how many seconds rates are measured.
LATELY: Final = 3.0


@dataclass(slots=True)
class Tally:
    """What was counted at one moment, by stage."""

    at: float
    done: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    repeats: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    processes: Counter[str] = field(default_factory=Counter)

    def copy(self, at: float) -> Tally:
        """Return a tally that begins with what this one has."""
        done, given, waiting, repeats = map(Counter, (self.done, self.given, self.waiting, self.repeats))
        return Tally(at, done, given, waiting, repeats, dict(self.seconds), Counter(self.processes))

    def add(self, stage: str, definition: Definition, told: Mapping[str, Any], *, here: bool) -> None:
        """Add what a node of a stage says; one that is gone waits for nothing."""
        self.processes[stage] += here
        self.done[stage] += int(_number(_part(told, "stage"), "done"))
        self.seconds[stage] = self.seconds.get(stage, 0.0) + _number(_part(told, "stage"), "seconds")
        for queue in definition.stages[stage].queues:
            in_custody = _number(_part(told, "queues", queue, "pull"), "in_custody")
            self.waiting[stage] -= int(in_custody) if here else 0  # it is done here, and counted at its pusher
        for target in definition.behind(stage):
            for queue in target.queues:
                pushed = _part(told, "queues", queue, "push")
                self.given[stage] += int(_number(pushed, "pushed"))
                self.repeats[target.name] += int(_number(pushed, "redelivered"))
                self.waiting[target.name] += int(_number(pushed, "depth")) if here else 0


class Tallies:
    """The tallies of a run, and what is lately so."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._began = time.monotonic()
        #: What each node that is here last said, by its id; and all that others have ever said.
        self._told: dict[str, dict[str, Any]] = {}
        self._gone = Tally(0.0)
        self._by_name: dict[str, dict[str, Any]] = {}
        self._lately: deque[Tally] = deque([Tally(self._began)])

    def stage_of(self, node: str) -> Stage | None:
        """Return the stage that a node is of, by its name."""
        title, _, number = node.rpartition("-")
        if number.isdecimal():
            for stage in self._definition.stages.values():
                if stage.title == title:
                    return stage
        return None

    def look(self, told: Mapping[str, dict[str, Any]], here: set[str]) -> None:
        """Note what nodes said, by id, and which are ``here``; who is here and said nothing counts as before."""
        self._told.update(told)
        self._by_name.update((str(_part(answer, "name")), answer) for answer in told.values())
        for gone in self._told.keys() - here:
            self._add(self._gone, self._told.pop(gone), here=False)
        tally = self._gone.copy(time.monotonic())
        for answer in self._told.values():
            self._add(tally, answer, here=True)
        self._lately.append(tally)
        while len(self._lately) > 2 and self._lately[1].at < tally.at - LATELY:
            self._lately.popleft()

    def report(self, *, processes: dict[str, int], restarts: Mapping[str, int]) -> Report:
        """Return what is known now."""
        first, last = self._lately[0], self._lately[-1]
        span = max(last.at - first.at, 1e-9)
        report = Report(self._definition.name, time.monotonic() - self._began, processes=processes)
        report.after = {stage.name: stage.after for stage in self._definition.stages.values()}
        report.nodes = dict(self._by_name)
        for name, stage in self._definition.stages.items():
            moved = "given" if stage.kind == "source" else "done"
            work = last.seconds.get(name, 0.0) - first.seconds.get(name, 0.0)
            report.stages[name] = StageReport(
                name,
                processes=last.processes[name],
                done=last.done[name],
                given=last.given[name],
                waiting=max(0, last.waiting[name]),
                repeats=last.repeats[name],
                seconds=last.seconds.get(name, 0.0),
                restarts=sum(times for label, times in restarts.items() if label.rpartition("-")[0] == name),
                rate=max(0, getattr(last, moved)[name] - getattr(first, moved)[name]) / span,
                busy=min(1.0, max(0.0, work / span / max(1, last.processes[name]))),
            )
        return report

    def _add(self, tally: Tally, told: Mapping[str, Any], *, here: bool) -> None:
        stage = self.stage_of(str(_part(told, "name")))
        if stage is not None:
            tally.add(stage.name, self._definition, told, here=here)


def _part(told: Any, *path: str) -> Any:
    for key in path:
        told = told.get(key) if isinstance(told, dict) else None
    return {} if told is None else told


def _number(told: Any, key: str) -> float:
    found = _part(told, key)  # what peers say is checked, never trusted
    return found if isinstance(found, int | float) and math.isfinite(found) else 0
