"""What was compared, as tables for people and as a document for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from meshmq.bench.kinds import FIGURES, Run, Side, Unit
from meshmq.bench.plain.sockets import versions
from meshmq.bench.rounds import Compared
from meshmq.bench.work import Work


def machine() -> dict[str, Any]:
    """Return what this ran on, and with."""
    found: dict[str, Any] = {"python": platform.python_version(), "meshmq": version("meshmq"), **versions()}
    found |= {"system": f"{platform.system()} {platform.machine()}", "cores": os.cpu_count() or 1}
    if hasattr(os, "getloadavg"):
        found["load"] = round(os.getloadavg()[0], 1)
    return found


def machine_line() -> str:
    """Return the same in one line."""
    return ", ".join(f"{name} {value}" for name, value in machine().items())


def text(compared: Compared) -> str:
    """Return the table of one work: a row for each side, and the ratios of ours to theirs."""
    all_figures = FIGURES[compared.work.kind]
    rows = [["", *(figure.title for figure in all_figures)]]
    for side in compared.sides:
        found = [compared.figure(side, figure.key) for figure in all_figures]
        rows.append([side.name, *(shown(value, one.unit) for value, one in zip(found, all_figures, strict=True))])
    ours, *others = compared.sides
    for other in others:
        ratios = [compared.ratio(ours, other, figure.key) if figure.compared else None for figure in all_figures]
        rows.append([f"to {other.name}", *("-" if ratio is None else f"{ratio:.2f} x" for ratio in ratios)])
    return f"{headline(compared.work)}, {compared.rounds} rounds of {compared.work.total:,}\n{columns(rows)}"


def headline(work: Work) -> str:
    """Return what is done over what, in a few words."""
    return f"{work.title}, {work.transport}"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(["", first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def shown(value: float | None, unit: Unit) -> str:
    """Return a figure for people."""
    if value is None:
        return "-"
    digits = 0 if value >= 1_000 or (value == 0 and unit != "%") else 2 if value < 10 else 1
    return f"{value:,.{digits}f}{'' if unit == '/s' else ' ' + unit if unit != '%' else '%'}".rstrip()


def run_line(work: Work, side: Side, run: Run) -> str:
    """Return what one run of one side came to, in a few words."""
    first = FIGURES[work.kind][0]
    if first.key not in run.figures:
        return f"{side.name} done"
    return f"{side.name} {shown(run.figures[first.key], first.unit)}{first.unit if first.unit == '/s' else ''}"


def document(all_compared: Sequence[Compared]) -> dict[str, Any]:
    """Return all there is, for JSON."""
    return {"machine": machine(), "results": [_result(compared) for compared in all_compared]}


def _result(compared: Compared) -> dict[str, Any]:
    all_figures = FIGURES[compared.work.kind]
    ours, *others = compared.sides
    sides = {
        side.name: {
            "median": {figure.key: compared.figure(side, figure.key) for figure in all_figures},
            "runs": [run.figures for run in compared.runs.get(side.name, ())],
        }
        for side in compared.sides
    }
    ratios = {
        other.name: {figure.key: compared.ratio(ours, other, figure.key) for figure in all_figures if figure.compared}
        for other in others
    }
    return {
        "title": headline(compared.work),
        "work": asdict(compared.work),
        "rounds": compared.rounds,
        "sides": sides,
        "ratios": ratios,
    }
