"""A report in words: a table, a line, a summary."""

from __future__ import annotations

from collections.abc import Sequence

from meshmq.names import counted
from meshmq.pipeline.report import Report, StageReport


def table(report: Report) -> list[str]:
    """Return how it goes, for a terminal."""
    held = report.held_back_by
    head = ("STAGE", "PROCESSES", "DONE", "PER SECOND", "GIVEN", "WAITING", "BUSY", "")
    rows = [
        (
            stage.name,
            str(stage.processes),
            "" if is_source else f"{stage.done:,}",
            f"{stage.rate:,.0f}",
            f"{stage.given:,}" if stage.given else "",
            "" if is_source else f"{stage.waiting:,}",
            f"{stage.busy:.0%}",
            "<- the others wait for it" if stage.name == held else "",
        )
        for stage, is_source in _stages(report)
    ]
    return [f"{report.pipeline}, {report.seconds:.0f} s", *_columns(head, rows)]


def line(report: Report) -> str:
    """Return how it goes, in a line."""
    parts = [
        f"{stage.name} {stage.given:,} given"
        if is_source
        else f"{stage.name} {stage.done:,} done, {stage.waiting:,} left"
        for stage, is_source in _stages(report)
    ]
    held = report.held_back_by
    return f"{report.pipeline}, {report.seconds:.0f} s: " + " · ".join(parts) + (f" (wait for {held})" if held else "")


def summary(report: Report) -> list[str]:
    """Return what became of it."""
    given = sum(stage.given for stage, is_source in _stages(report) if is_source)
    head = ("STAGE", "IN", "OUT", "SECONDS OF WORK", "RESTARTS", "REPEATS")
    rows = [
        (
            stage.name,
            "" if is_source else f"{stage.done:,}",
            f"{stage.given:,}" if stage.given else "",
            f"{stage.seconds:,.1f}",
            f"{stage.restarts:,}",
            "" if is_source else f"{stage.repeats:,}",
        )
        for stage, is_source in _stages(report)
    ]
    what = "all of it done" if report.complete else "ended before all was done"
    return [f"{report.pipeline}: {counted(given, 'value')} in {report.seconds:.1f} s, {what}", *_columns(head, rows)]


def _stages(report: Report) -> list[tuple[StageReport, bool]]:
    return [(stage, not report.after[stage.name]) for stage in report.stages.values()]


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows in columns: the first to the left, numbers to the right."""
    cells = [head, *([cell or "-" for cell in row[:-1]] + [row[-1] or ("-" if head[-1] else "")] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        first, *others = (
            cell.ljust(width) if place == 0 or not head[place] else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]).rstrip())
    return lines
