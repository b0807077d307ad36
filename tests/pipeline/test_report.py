"""What is told of a run: sums over processes that come and go, the stage that holds others back, a table."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from meshmq import Pipeline
from meshmq.pipeline.report import Report, StageReport
from meshmq.pipeline.screen import Screen
from meshmq.pipeline.table import line, summary, table
from meshmq.pipeline.tallies import Tallies


@pytest.fixture
def tallies() -> Tallies:
    pipeline = Pipeline("p")
    pipeline.source(name="files")(list)
    pipeline.stage(name="count", workers=2)(str)
    pipeline.sink(name="total", key=len)(print)
    return Tallies(pipeline.definition)


def source(pushed: int, depth: int, again: int = 0) -> dict[str, Any]:
    push = {"pushed": pushed, "depth": depth, "redelivered": again}
    return {"name": "p.files-1", "stage": {"done": 0, "seconds": 1.0}, "queues": {"p.count": {"push": push}}}


def counter(number: int, done: int, seconds: float, custody: int = 0) -> dict[str, Any]:
    queues = {
        "p.count": {"pull": {"in_custody": custody}},
        "p.total.1": {"push": {"pushed": done, "depth": 2, "redelivered": 0}},
    }
    return {"name": f"p.count-{number}", "stage": {"done": done, "seconds": seconds}, "queues": queues}


def look(tallies: Tallies, *nodes: dict[str, Any]) -> Report:
    told = {node["name"]: node for node in nodes}
    tallies.look(told, set(told))
    return tallies.report(processes={}, restarts={"count-1": 1, "count-2": 2, "total-1": 0})


def test_stage_is_the_sum_of_its_processes(tallies: Tallies) -> None:
    report = look(tallies, source(100, 30, 4), counter(1, 40, 1.5, 5), counter(2, 20, 2.5, 5))
    files, count, total = report.stages.values()
    assert (files.processes, files.given, files.done, files.seconds) == (1, 100, 0, 1.0)
    assert (count.processes, count.given, count.done, count.seconds) == (2, 60, 60, 4.0)
    assert count.waiting == 20, "30 are not confirmed, of which 10 are done and in custody"
    assert (count.repeats, count.restarts, total.waiting) == (4, 3, 4)
    assert report.nodes["p.count-2"]["stage"]["done"] == 20


def test_what_a_process_counted_stays_when_it_is_gone_and_what_waited_there_does_not(tallies: Tallies) -> None:
    look(tallies, source(100, 30), counter(1, 40, 1.5))
    report = look(tallies, source(100, 30))
    assert (report.stages["count"].done, report.stages["count"].seconds, report.stages["count"].processes) == (
        40,
        1.5,
        0,
    )
    assert (report.stages["total"].waiting, report.stages["count"].rate >= 0) == (0, True)


def test_what_is_no_number_counts_nothing(tallies: Tallies) -> None:
    strange = {"name": "p.count-1", "stage": {"done": "many", "seconds": float("nan")}, "queues": []}
    report = look(tallies, strange, {"name": "p.nonesuch-1"}, {"name": "p.count"}, {"name": 3})
    assert (report.stages["count"].done, report.stages["count"].seconds) == (0, 0.0)


def report_of(**stages: dict[str, Any]) -> Report:
    report = Report("p", 12.0, stages={name: StageReport(name, **one) for name, one in stages.items()})
    report.after = dict(zip(stages, [(), *((name,) for name in stages)], strict=False))
    return report


def test_stage_that_is_in_its_function_nearly_all_the_time_holds_the_others_back() -> None:
    assert report_of(files={"busy": 0.3}, count={"busy": 0.79}).held_back_by is None
    assert report_of(files={"busy": 0.3}, count={"busy": 0.8}, total={}).held_back_by == "count"
    # In branches: for which most values wait.
    both = report_of(files={}, left={"busy": 0.9, "waiting": 3}, right={"busy": 0.8, "waiting": 4})
    assert both.held_back_by == "right"


def test_report_in_words() -> None:
    report = report_of(
        files={"given": 1_000, "processes": 1, "rate": 140.2, "seconds": 1.25},
        count={"given": 912, "done": 912, "processes": 3, "rate": 140.0, "busy": 0.98, "waiting": 88, "restarts": 1},
        total={"done": 912, "processes": 1, "rate": 140.0, "repeats": 2},
    )
    assert table(report) == [
        "p, 12 s",
        "STAGE  PROCESSES  DONE  PER SECOND  GIVEN  WAITING  BUSY",
        "files          1     -         140  1,000        -    0%",
        "count          3   912         140    912       88   98%  <- the others wait for it",
        "total          1   912         140      -        0    0%",
    ]
    assert (
        line(report) == "p, 12 s: files 1,000 given · count 912 done, 88 left · total 912 done, 0 left (wait for count)"
    )
    assert summary(report) == [
        "p: 1,000 values in 12.0 s, ended before all was done",
        "STAGE   IN    OUT  SECONDS OF WORK  RESTARTS  REPEATS",
        "files    -  1,000              1.2         0        -",
        "count  912    912              0.0         1        0",
        "total  912      -              0.0         0        2",
    ]
    report.complete = True
    assert summary(report)[0] == "p: 1,000 values in 12.0 s, all of it done"


class Terminal(io.StringIO):
    """Text that is seen on a screen."""

    def isatty(self) -> bool:
        return True


@contextlib.contextmanager
def screen_on(stream: io.StringIO) -> Iterator[Screen]:
    with contextlib.redirect_stderr(stream):
        screen = Screen()
        with screen.above():
            yield screen


def test_table_is_rewritten_below_what_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    terminal, report = Terminal(), report_of(files={"given": 1})
    log = logging.StreamHandler(terminal)
    logging.getLogger("meshmq").addHandler(log)
    try:
        with screen_on(terminal) as screen:
            screen.show(report)
            screen.write(b"count-1: a line\n")
            print("a word", file=sys.stderr)
            logging.getLogger("meshmq.test").warning("a warning")
            print("half a line", end="", file=sys.stderr)
            screen.end(report)
        assert log.stream is terminal
    finally:
        logging.getLogger("meshmq").removeHandler(log)
    assert capfd.readouterr().out == "count-1: a line\n"
    assert seen(terminal.getvalue()) == ["a word", "a warning", *summary(report), "half a line"]


def seen(text: str) -> list[str]:
    """Return what is on the screen in the end: a few lines up, and all below is gone."""
    rows = [""]
    for part in text.replace("\x1b[J", "\x1b").split("\x1b"):
        if part.startswith("[") and part.endswith("A"):
            rows = [*rows[: len(rows) - 1 - int(part[1:-1])], ""]
        else:
            first, *more = part.split("\n")
            rows[-1] += first
            rows += more
    return rows[:-1]


def test_where_nothing_can_be_rewritten_there_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, report = io.StringIO(), report_of(files={"given": 1})
    monkeypatch.setattr("meshmq.pipeline.screen.LINE_EVERY", 0.0)
    with screen_on(stream) as screen:
        screen.show(report)
        monkeypatch.setattr("meshmq.pipeline.screen.LINE_EVERY", 1_000.0)
        screen.show(report)
        screen.show(report)
    assert stream.getvalue() == 2 * f"{line(report)}\n"
