"""Killed, or without power, at any step: what was told is there, what is there is what was once there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.architecture import ROOT
from tests.scale import scale

PROGRAMS: Final = ROOT / "tests" / "journal" / "programs"


def killed(directory: Path, sync: str, how: str, stride: int, preloaded: Path | None = None) -> int:
    """Kill the sequence at every so many points; returns the last, at which it was not killed any more."""
    command = [sys.executable, str(PROGRAMS / "killed.py"), str(directory), sync, how, "0", str(stride)]
    env = {"PYTHONPATH": str(ROOT), **({"LD_PRELOAD": str(preloaded)} if preloaded else {})}
    ran = subprocess.run(command, capture_output=True, text=True, env=env, timeout=500, check=False)
    found = re.fullmatch(r"\d+ points, the last (\d+), 0 wrong\n", ran.stdout)
    assert found, f"{ran.stdout}{ran.stderr}"
    return int(found[1])


@pytest.fixture(scope="session")
def power(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build what fails under SQLite."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler: apt install gcc libc6-dev")
    library = tmp_path_factory.mktemp("power") / "power.so"
    command = [
        compiler,
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(PROGRAMS / "power.c"),
    ]
    subprocess.run(command, check=True)
    return library


@pytest.mark.timeout(600)
def test_killed_before_or_after_any_statement_it_has_what_was_told(tmp_path: Path) -> None:
    assert killed(tmp_path, "full", "statement", scale(61, 1)) > 200


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["before", "after", "half"])
def test_killed_at_any_write_of_sqlite_it_has_what_was_told(tmp_path: Path, power: Path, how: str) -> None:
    assert killed(tmp_path, "normal", how, scale(311, 1), power) > 100


@pytest.mark.timeout(600)
@pytest.mark.parametrize("sync", ["full", "normal"])
@pytest.mark.parametrize("how", ["power", "power in part"])
def test_without_power_at_any_write_it_has_what_was_told_or_what_once_was(
    tmp_path: Path, power: Path, how: str, sync: str
) -> None:
    assert killed(tmp_path, sync, how, scale(311, 1), power) > 100
