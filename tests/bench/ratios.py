"""One table of ratios, and the versions behind it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Final

from meshmq.bench.kinds import FIGURES, Figure
from meshmq.bench.plot import draw_ratios
from meshmq.bench.rounds import Compared
from meshmq.bench.table import columns, machine_line, shown
from tests.bench.field import PACKAGES, servers

HEAD: Final = ("", "over", "", "MeshMQ", "", "", "ratio")
#: What MeshMQ does another way; not in the picture.
OURSELVES: Final = ("by handler", "itself in clear", "directly", "through")
#: Of these less is better.
TIMES: Final = ("typical", "p99", "cpu", "cpu_heard", "first", "roster", "start", "makespan")
_MAKESPAN: Final = Figure("makespan", "time to ideal", "")
_HOW_TO_READ: Final = """\
Medians of interleaved rounds; a ratio is that of MeshMQ to the other: of rates more is better, of times and CPU less.
CPU is seconds for a million messages, both ends and server together; 'heard': for a million that came. MeshMQ acks
every job; bare pyzmq and pynng ack none. 'lost' is what subscribers too slow for it did not get; MeshMQ tells each how
many.
"""


def figures(compared: Compared) -> list[Figure]:
    """Return the figures that say most."""
    work = compared.work
    if any("makespan" in run.figures for runs in compared.runs.values() for run in runs):
        return [_MAKESPAN]
    wanted = {
        "push": ("rate", "cpu"),
        "publish": ("rate", "lost", "cpu", "cpu_heard"),
        "request": ("rate",) if work.in_flight > 1 else ("typical", "p99"),
        "large": ("bytes",),
        "discover": ("first", "roster", "start"),
    }[work.kind]
    return [figure for figure in FIGURES[work.kind] if figure.key in wanted]


def rows(compared: Compared) -> list[tuple[str, ...]]:
    """Return the rows of one work: a figure of ours, theirs and the ratio."""
    ours, *others = compared.sides
    found: list[tuple[str, ...]] = []
    title = compared.work.title if ours.name in ("MeshMQ", "by handler") else f"{ours.name}: {compared.work.title}"
    for other in others:
        for figure in figures(compared):
            ratio = compared.ratio(ours, other, figure.key) if figure.compared else None
            values = [shown(compared.figure(side, figure.key), figure.unit) for side in (ours, other)]
            one = "-" if ratio is None else f"{ratio:.2f}"
            found.append((title, compared.work.transport, figure.title, values[0], other.name, values[1], one))
    return found


def show(all_compared: Sequence[Compared]) -> None:
    """Print the table."""
    table = [row for compared in all_compared if compared.runs for row in rows(compared)]
    if table:
        print(columns([HEAD, *table]))


def head() -> None:
    """Print on what this runs, and with which versions."""
    print(machine_line())
    packages = [package for module, package in PACKAGES.values() if find_spec(module) is not None]
    told = [f"{package} {version(package)}" for package in packages]
    told += [f"{broker.package} {_debian(broker.package)}" for broker in servers()]
    print("Compared with:", ", ".join(["bare pyzmq", *told]))
    print(_HOW_TO_READ)


def draw(all_compared: Sequence[Compared], path: str) -> None:
    """Draw the ratios of speeds: how many times as fast as the other."""
    from pathlib import Path

    bars = []
    for compared in all_compared:
        ours, *others = compared.sides
        for other in others:
            figure = figures(compared)[0]
            if other.name in OURSELVES:
                continue
            if compared.runs and (ratio := compared.ratio(ours, other, figure.key)):
                name = f"{compared.work.title}, {compared.work.transport}: {figure.title}, to {other.name}"
                bars.append((name, 1 / ratio if figure.key in TIMES else ratio))
    if bars:
        draw_ratios("MeshMQ, how many times as fast", bars, Path(path))


def _debian(package: str) -> str:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False
    )
    return asked.stdout or "of unknown version"
