"""Runs simulations in processes of their own, two at once, for there are two cores."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.architecture import ROOT


def hold(scenario: str, *runs: tuple[int, int, list[str]]) -> None:
    """Simulate; each run is a first seed, a number of seeds, and options. What fails prints how to replay it."""
    started = [_start(scenario, first, count, more, stderr=subprocess.PIPE) for first, count, more in runs]
    try:
        failures = [run.communicate()[1] for run in started]
    finally:
        for run in started:
            run.kill()
    assert not any(run.returncode for run in started), "\n".join(failures)


def hold_halves(scenario: str, count: int, *more: str, first: int = 0) -> None:
    """Simulate ``count`` seeds, half of them in each of two processes."""
    half = count // 2
    hold(scenario, (first, half, [*more]), (first + half, count - half, [*more]))


def same_everywhere(scenario: str, first: int, count: int, *more: str) -> None:
    """Check that nothing in a run depends on the process: sets, for one, have another order in each."""
    runs = [
        _start(scenario, first, count, [*more], stdout=subprocess.PIPE, env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("0", "1", "3")
    ]
    first_output, *others = (run.communicate()[0] for run in runs)
    assert first_output.count("holds") == count
    assert others == [first_output] * len(others)


def _start(
    scenario: str,
    first: int,
    count: int,
    more: list[str],
    *,
    stdout: int = subprocess.DEVNULL,
    stderr: int | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "meshmq.testing", "--scenario", scenario]
    command += ["--seed", str(first), "--count", str(count), *more]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=stdout, stderr=stderr, text=True)
