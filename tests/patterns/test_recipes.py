"""Every recipe prints what its docstring says: on its own, beside the others, and as a copy."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Final

import pytest

from meshmq.cli.recipe import find
from tests.architecture import ROOT
from tests.network.children import Child
from tests.network.conftest import Start, start
from tests.scale import scale

__all__ = ["start"]

RECIPES: Final = find()
#: So many at the same time are as many processes as two cores start within the limits.
GROUPS: Final = [list(RECIPES)[start::3] for start in range(3)]
SECTIONS: Final = ("*Problem*", "*How it works*", "*Limits*", "*Run*")


def documentation(name: str) -> str:
    return ast.get_docstring(ast.parse(RECIPES[name].read_text())) or ""


def promised(name: str) -> list[str]:
    """Return what the docstring says that it prints."""
    lines = documentation(name).partition("*Run*")[2].partition("::\n")[2].strip("\n").splitlines()
    assert lines[0].strip() == f"$ meshmq recipe run {name}"
    return [line.strip() for line in lines[1:] if line.strip()]


@pytest.mark.parametrize("names", GROUPS, ids=" ".join)
def test_recipe_prints_what_it_says(start: Start, runtime_directory: Path, names: list[str]) -> None:
    # What would lead it to others, or its nodes to each other's names and ports, is left aside.
    surroundings = {"MESHMQ_SECRET": "short", "MESHMQ_NAME": "same", "MESHMQ_PORT": "1"}
    running: dict[str, Child] = {}
    for name in names:  # at the same time, and yet each on its own
        (own := runtime_directory / name).mkdir(mode=0o700)
        env = {**surroundings, "MESHMQ_RUNTIME_DIR": str(own)}
        running[name] = start([sys.executable, "-m", "meshmq", "recipe", "run", name], env=env)
    for name, recipe in running.items():
        assert recipe.rest(scale(40, 120)) == promised(name), f"{name}: {recipe.stderr}"
        assert recipe.wait() == 0, name
        assert "Traceback" not in recipe.stderr, name


@pytest.mark.stress
@pytest.mark.parametrize("names", GROUPS, ids=" ".join)
def test_recipes_run_beside_each_other_from_a_checkout(start: Start, names: list[str]) -> None:
    running = {name: start([sys.executable, "-m", f"meshmq.patterns.{name}"], cwd=ROOT) for name in names}
    for name, recipe in running.items():
        assert recipe.rest(scale(40, 120)) == promised(name), recipe.stderr
        assert recipe.wait() == 0


def test_copy_runs_as_a_program(start: Start, tmp_path: Path) -> None:
    copy = tmp_path / "copied.py"
    copy.write_bytes(RECIPES["work_queue"].read_bytes())
    recipe = start([sys.executable, str(copy)], cwd=tmp_path)
    assert recipe.rest() == promised("work_queue"), recipe.stderr
    assert recipe.wait() == 0


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_has_one_idea_and_says_what_it_is(name: str) -> None:
    text = documentation(name)
    positions = [text.find(section) for section in SECTIONS]
    assert positions == sorted(positions)
    assert positions[0] > 0
    body = ast.parse(RECIPES[name].read_text()).body
    shown = [part.name for part in body if isinstance(part, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
    assert len([name for name in shown if not name.startswith("_")]) == 2  # the idea and its demo
    assert "demo" in shown


def test_readme_names_every_recipe() -> None:
    linked = re.findall(r"\((\w+)\.py\)", (ROOT / "patterns" / "README.md").read_text())
    assert sorted(linked) == sorted(RECIPES)
