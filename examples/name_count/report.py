"""What the user sees: progress while the work goes on, then what became of it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from meshmq.pipeline import Report

#: Where lines cannot be rewritten, one is written each time so much more of the work is done.
STEP: Final = 0.25
REWRITTEN_EVERY: Final = 0.1


class Progress:
    """One line that is rewritten on a terminal, a few lines elsewhere."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self.total = label, total
        self._began = time.monotonic()
        self._live = sys.stdout.isatty()
        self._next = 0.0 if self._live else STEP
        self._over = False

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._began

    def show(self, done: int) -> None:
        """Say how much is done, where it is time to."""
        share = done / self.total
        at = self.seconds if self._live else share
        if self._over or (at < self._next and done < self.total):
            return
        self._over = done >= self.total
        self._next = at + (REWRITTEN_EVERY if self._live else STEP)
        line = f"{self._label}  {done:,} of {self.total:,} files  {share:.0%}  {done / self.seconds:,.0f} files/s"
        print(f"\r{line:<76}" if self._live else line, end="" if self._live else "\n", flush=True)
        if self._live and done == self.total:
            print()

    def note(self, sentence: str) -> None:
        """Say what has happened, on a line of its own."""
        print(f"\r{sentence:<76}" if self._live else sentence, flush=True)


@dataclass(slots=True)
class Result:
    """What one way of counting came to."""

    seconds: float
    totals: dict[str, Any]
    #: The rest only the mesh has: what its run tells, and which processes counted, by their ids.
    run: Report | None = None
    counters: dict[str, str] = field(default_factory=dict)
    #: With a device: how many files it passed on until it was killed, and since.
    passed_on: tuple[int, int] | None = None

    @property
    def files(self) -> int:
        """How many files were counted."""
        return len(self.totals["files"])


def differences(mesh: Result, plain: Result) -> list[str]:
    """Return in words in what the two totals differ; nothing where they are equal."""
    found = []
    for what in ("files", "unreadable"):
        missing = sorted(set(plain.totals[what]) - set(mesh.totals[what]))
        extra = sorted(set(mesh.totals[what]) - set(plain.totals[what]))
        found += [f"{what}: {len(missing):,} missing, as {missing[0]}"] if missing else []
        found += [f"{what}: {len(extra):,} too many, as {extra[0]}"] if extra else []
    ours, theirs = mesh.totals["names"], plain.totals["names"]
    wrong = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if wrong:
        name = wrong[0]
        found.append(f"names: {len(wrong):,} differ, as {name}: {ours.get(name, 0):,}, not {theirs.get(name, 0):,}")
    return found


def lost(mesh: Result, plain: Result) -> int:
    """Return how many files were never added."""
    return len(set(plain.totals["files"]) - set(mesh.totals["files"]))


def report(mesh: Result, plain: Result) -> list[str]:
    """Return the lines that say what became of the work."""
    assert mesh.run is not None
    queue = mesh.run.nodes["names.files-1"]["queues"]["names.count"]["push"]
    stage = mesh.run.stages["count"]
    # One that came and went with so little to do may never have told anything.
    counters = [node for name, node in mesh.run.nodes.items() if name.startswith("names.count-")]
    rate = mean([node["stage"]["done"] / node["stage"]["seconds"] for node in counters if node["stage"]["done"]])
    load = mean([node["stage"]["seconds"] / node["uptime"] for node in counters])
    names = Counter(plain.totals["names"])
    most = ", ".join(f"{name} {times:,}" for name, times in names.most_common(5))
    same = "no difference" if not differences(mesh, plain) else "THEY DIFFER"
    rows = [
        ("time", f"{mesh.seconds:.1f} s, {mesh.files / mesh.seconds:,.0f} files/s, three counters at a time"),
        ("plain", f"{plain.seconds:.1f} s, {plain.files / plain.seconds:,.0f} files/s, one process without MeshMQ"),
        ("shares", shares(mesh)),
        ("redelivered", f"{jobs(stage.repeats)}; {mesh.totals['repeats']:,} counted twice and added once"),
        ("lost", jobs(lost(mesh, plain))),
        *device(mesh),
        ("λ", f"{queue['λ']:,.0f} files/s come into the queue"),
        ("μ", f"{rate:,.0f} files per second of work, each counter"),
        ("ρ", f"{load:.0%} of its time a counter is at work"),
        ("L", f"{queue['L']:,.1f} files are on their way, on average"),
        ("W", f"{queue['W']:.2f} s from pushed to confirmed, on average"),
        ("totals", f"{names.total():,} names, {len(names):,} different; most often {most}"),
        ("", f"{len(plain.totals['unreadable']):,} of {plain.files:,} files cannot be tokenized"),
        ("compared", f"with the plain program's totals: {same}"),
    ]
    return [f"{label:<12} {words}" for label, words in rows]


def device(mesh: Result) -> list[tuple[str, str]]:
    if mesh.passed_on is None:
        return []
    before, after = mesh.passed_on
    return [("device", f"passed on {before:,} files until it was killed, and {after:,} since")]


def jobs(count: int) -> str:
    return f"{count:,} {'job' if count == 1 else 'jobs'}"


def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def shares(mesh: Result) -> str:
    found = mesh.totals["shares"].items()
    parts = [f"{mesh.counters.get(process, process)} {files / mesh.files:.0%}" for process, files in found]
    return " · ".join(sorted(parts))
