"""The work of the main job: what is a name, what is added, what is told of it."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest

from examples.name_count.counting import Totals, names_in, sources
from examples.name_count.report import Progress, Result, differences, lost, report
from meshmq.pipeline import Report, StageReport


def test_names_are_counted_and_keywords_are_not() -> None:
    assert names_in(b"for x in xs:\n    print(x, 'x')  # x\n") == {"x": 2, "xs": 1, "print": 1}


def test_soft_keywords_are_names() -> None:
    assert names_in(b"match = case = type = _ = None\n") == {"match": 1, "case": 1, "type": 1, "_": 1}


def test_encoding_of_a_source_is_its_own() -> None:
    assert names_in("# coding: latin-1\né = 1\n".encode("latin-1")) == {"é": 1}


@pytest.mark.parametrize("source", [b"'''", b"(", b"\xff = 1\n", b"# coding: none\n", b"if x:\n        y\n    z\n"])
def test_source_that_cannot_be_tokenized_has_no_names(source: bytes) -> None:
    assert names_in(source) is None


def test_installed_packages_are_no_sources(tmp_path: Path) -> None:
    for name in ("a.py", "b/c.py", "site-packages/d.py", "b/data.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert sources(tmp_path) == [tmp_path / "a.py", tmp_path / "b" / "c.py"]


def test_file_that_comes_twice_is_added_once() -> None:
    totals = Totals()
    totals.add("a.py", {"x": 2}, "1")
    totals.add("a.py", {"x": 2}, "2")
    totals.add("b.py", None, "2")
    assert totals.as_words() == {
        "names": {"x": 2},
        "files": ["a.py", "b.py"],
        "unreadable": ["b.py"],
        "shares": {"1": 1, "2": 1},
        "repeats": 1,
    }


def result(names: dict[str, int], files: list[str], unreadable: list[str]) -> Result:
    words = {"names": names, "files": files, "unreadable": unreadable}
    return Result(2.0, {**words, "shares": {"7": len(files)}, "repeats": 0})


def test_equal_totals_have_no_difference() -> None:
    plain = result({"x": 1}, ["a.py"], [])
    assert differences(result({"x": 1}, ["a.py"], []), plain) == []
    assert lost(result({"x": 1}, ["a.py"], []), plain) == 0


def test_every_difference_is_told() -> None:
    plain = result({"x": 1, "y": 2}, ["a.py", "b.py"], ["b.py"])
    mesh = result({"x": 1, "y": 3}, ["a.py", "c.py"], [])
    assert differences(mesh, plain) == [
        "files: 1 missing, as b.py",
        "files: 1 too many, as c.py",
        "unreadable: 1 missing, as b.py",
        "names: 1 differ, as y: 3, not 2",
    ]
    assert lost(mesh, plain) == 1


def test_report_tells_what_the_run_told_and_that_totals_differ() -> None:
    mesh = result({"x": 1}, ["a.py"], [])
    counter = {"stage": {"done": 4, "seconds": 2.0}, "uptime": 4.0}
    source = {"queues": {"names.count": {"push": {"λ": 1.0, "L": 2.0, "W": 2.0}}}}
    stages = {"count": StageReport("count", repeats=3)}
    nodes: dict[str, Any] = {"names.files-1": source, **{f"names.count-{number}": counter for number in (1, 2, 3)}}
    mesh.run, mesh.counters = Report("names", stages=stages, nodes=nodes), {"7": "count-2"}
    lines = report(mesh, result({"x": 2}, ["a.py"], []))
    assert any("DIFFER" in line for line in lines)
    assert "redelivered  3 jobs; 0 counted twice and added once" in lines
    assert "shares       count-2 100%" in lines
    assert "μ            2 files per second of work, each counter" in lines
    assert "ρ            50% of its time a counter is at work" in lines


def test_progress_is_a_few_lines_where_none_can_be_rewritten(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("mesh ", 100)
    for done in range(1, 101):
        progress.show(done)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[2] for line in lines] == ["25%", "50%", "75%", "100%"]


class Terminal(io.StringIO):
    """Text that is seen on a screen."""

    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal() -> None:
    with contextlib.redirect_stdout(Terminal()) as terminal:
        progress = Progress("mesh ", 100)
        progress.show(1)
        progress.note("killed somebody")
        progress.show(100)
    first, note, last = terminal.getvalue().split("\r")[1:]
    assert first.startswith("mesh   1 of 100 files")
    assert note.split("\n") == ["killed somebody".ljust(76), ""]
    assert last.startswith("mesh   100 of 100 files")
    assert last.endswith("\n")
