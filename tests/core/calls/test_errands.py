"""Calls under everything that networks and processes do to them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scale import scale

ROOT = Path(__file__).parents[3]
SEEDS = scale(test=60, stress=2_000)


@pytest.mark.timeout(scale(test=240, stress=1_800))
def test_every_call_ends_once_and_is_told_the_truth() -> None:
    command = [sys.executable, "-m", "meshmq.testing", "--scenario", "tests.core.calls.errands:Errands"]
    run = subprocess.run(
        [*command, "--seed", "0", "--count", str(SEEDS)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
