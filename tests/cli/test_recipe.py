"""``meshmq recipe`` lists, shows and copies; tests/patterns runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshmq.cli import main
from meshmq.cli.recipe import find

FIVE = ["fan_out_fan_in", "peak_shaving", "presence", "staged_pipeline", "work_queue"]


def test_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "list"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["RECIPE", "WHAT", "FOR"]
    assert set(FIVE) <= {row.split()[0] for row in rows}
    assert all(row.endswith(".") for row in rows)


def test_show_prints_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "show", "presence"]) == 0
    assert capsys.readouterr().out == find()["presence"].read_text()


def test_new_copies_and_never_writes_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "deep" / "work_queue.py"
    assert main(["recipe", "new", "work_queue", str(target.parent)]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert target.read_bytes() == find()["work_queue"].read_bytes()
    target.write_text("mine")
    assert main(["recipe", "new", "work_queue", str(target.parent)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert target.read_text() == "mine"


def test_new_says_where_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["recipe", "new", "work_queue", str(tmp_path / "file" / "below")]) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nonesuch", "../work_queue", "__init__", ""])
def test_only_recipes_are_recipes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "show", name]) == 2
    assert "there is no recipe" in capsys.readouterr().err
