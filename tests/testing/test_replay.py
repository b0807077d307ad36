"""A seed is a run: toys that must survive its lies do, toys that must not do not, and it can be seen again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from meshmq.testing import Faults, SimulationFailed, simulate
from meshmq.testing.command_line import main
from tests.scale import scale
from tests.testing.streams import Stream, UnorderedStream
from tests.testing.watchers import Presence

ROOT = Path(__file__).parents[2]
SEEDS = range(scale(test=40, stress=2_000))
FEW = range(20)


def failures(
    make: type[Stream] | type[Presence], faults: Faults | None = None, nodes: int = 5, **options: object
) -> list[int]:
    failed = []
    for seed in FEW:
        try:
            simulate(seed, scenario=make(**options), faults=faults, nodes=nodes)  # type: ignore[arg-type]  # fields by name
        except SimulationFailed as failure:
            failed.append(failure.seed)
    return failed


def test_going_back_to_where_the_other_stands_survives_every_lie() -> None:
    counts: Counter[str] = Counter()
    for seed in SEEDS:
        counts.update(simulate(seed, scenario=Stream()).counts)
    for kind in ("lost", "reset", "half-open", "partition", "crash", "power cut", "stall"):
        assert counts[kind] > 5, (kind, counts)


def test_counting_claims_survives_every_lie() -> None:
    counts: Counter[str] = Counter()
    for seed in SEEDS:
        counts.update(simulate(seed, scenario=Presence()).counts)
    for kind in ("control break", "control end", "crash", "stall"):
        assert counts[kind] > 5, (kind, counts)


def test_trusting_that_what_was_sent_arrived_fails_under_lies_and_only_there() -> None:
    assert failures(Stream, Faults.none(until=20), kind="trusting") == []
    assert len(failures(Stream, kind="trusting")) > 15


def test_trusting_that_ends_are_told_fails_where_they_are_not() -> None:
    resets = Faults(until=20, crashes=0, half_opens=0, partitions=0, stalls=0)
    assert failures(Stream, Faults.none(until=20), kind="no patience") == []
    assert failures(Stream, replace(resets, untold=0.0), kind="no patience") != failures(
        Stream, replace(resets, untold=0.5), kind="no patience"
    )
    assert len(failures(Stream, kind="no patience")) > 5


def test_a_claim_that_is_not_counted_fails_when_the_old_one_ends_last() -> None:
    assert failures(Presence, Faults.none(until=20), counts=False) == []
    assert len(failures(Presence, counts=False)) > 5


def run(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "meshmq.testing", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    report = simulate(7, scenario=Stream())
    assert simulate(7, scenario=Stream()) == report
    assert simulate(8, scenario=Stream()).trace_hash != report.trace_hash
    for hash_seed in ("1", "2"):
        done = run("--seed", "7", "--scenario", "tests.testing.streams:Stream", hash_seed=hash_seed)
        assert done.returncode == 0, done.stderr
        assert report.trace_hash in done.stdout


def test_a_run_that_depends_on_the_order_of_a_set_shows_in_its_hash() -> None:
    assert simulate(7, scenario=UnorderedStream()).seed == 7
    arguments = ("--seed", "7", "--scenario", "tests.testing.streams:UnorderedStream")
    assert run(*arguments, hash_seed="1").stdout != run(*arguments, hash_seed="2").stdout


def test_a_failing_seed_says_how_to_see_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    seed = failures(Stream, Faults(resets=2.0), 4, kind="trusting", jobs=30)[0]
    with pytest.raises(SimulationFailed) as caught:
        simulate(seed, scenario=Stream(kind="trusting", jobs=30), nodes=4, faults=Faults(resets=2.0))
    sentence = str(caught.value)
    assert sentence.startswith(f"seed {seed} fails: AssertionError: not finished 60.0 s after the last fault")
    assert len(sentence.splitlines()) <= 53
    command = sentence.splitlines()[-1].partition("replay it with: python -m meshmq.testing ")[2]
    assert command == (
        f"--seed {seed} --nodes 4 --scenario tests.testing.streams:Stream --fault resets=2.0 "
        "--set kind=trusting --set jobs=30"
    )
    assert main(command.split()) == 1
    assert capsys.readouterr().err == f"{sentence}\n"


def test_what_a_decider_raises_fails_the_run_with_its_seed() -> None:
    class Broken(Presence):
        def finished(self, sim: object) -> bool:
            raise ZeroDivisionError("by a toy")

    with pytest.raises(SimulationFailed, match="seed 3 fails: ZeroDivisionError: by a toy") as caught:
        simulate(3, scenario=Broken())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_several_seeds_run_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--seed", "1", "--count", "2", "--scenario", "tests.testing.watchers:Presence", "--trace"]
    assert main([*arguments, "--fault", "until=1", "--set", "counts=True"]) == 0
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in out.splitlines()] == ["seed 1 holds", "seed 2 holds"]
    assert "healing: no more faults" in err


PROGRAM = """
from meshmq.testing import Faults, Programs, simulate

class Orders(Programs):
    async def main(self, node, index):
        await node.push("orders", index)  # which nobody pulls

if __name__ == "__main__":
    simulate(7, scenario=Orders(), nodes=2, faults=Faults.few(1))
"""


def test_a_scenario_of_a_program_is_run_again_by_the_name_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(PROGRAM)
    failed = subprocess.run(
        [sys.executable, "orders.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    replay = failed.stderr.rstrip().splitlines()[-1].partition("replay it with: python ")[2]
    assert "--scenario orders:Orders" in replay
    again = subprocess.run(
        [sys.executable, *replay.split()], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert again.returncode == 1
    assert "seed 7 fails: AssertionError: not finished" in again.stderr
    assert again.stderr.splitlines()[-1] == failed.stderr.rstrip().splitlines()[-1]


def test_a_scenario_that_stands_in_a_function_has_no_command() -> None:
    class Broken(Presence):
        def finished(self, sim: object) -> bool:
            raise ZeroDivisionError

    with pytest.raises(SimulationFailed, match=r"for a command Broken must stand at the top of a module"):
        simulate(3, scenario=Broken())
