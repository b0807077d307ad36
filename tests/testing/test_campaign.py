"""Many seeds in several processes: what is said of them, and of the first that fails."""

from __future__ import annotations

import pytest

from meshmq.testing.campaign import Plan, run
from meshmq.testing.command_line import main

WORDS: list[str] = []
STREAM = "tests.testing.streams:Stream"


def test_all_hold_and_the_summary_counts_what_befell_them(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--scenario", "meshmq.testing:Trial", "--seed", "100", "--count", "10", "--processes", "2"]
    assert main([*arguments, "--set", "jobs=20"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("10 seeds hold, ")
    assert "seeds/s on one core; " in told
    assert "partition" in told


def test_the_first_that_fails_is_told_with_its_trace_and_replay(capsys: pytest.CaptureFixture[str]) -> None:
    broken = ["--scenario", STREAM, "--set", "kind=trusting", "--nodes", "4"]
    assert main([*broken, "--count", "10", "--processes", "2"]) == 1
    out, err = capsys.readouterr()
    assert "hold, " in out
    replay = err.splitlines()[-1].partition("replay it with: python -m meshmq.testing ")[2]
    assert "the last lines of its trace:" in err
    assert main(replay.split()) == 1
    assert capsys.readouterr().err == err


def test_it_stops_by_itself_when_its_time_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scenario", STREAM, "--count", "500", "--processes", "2", "--limit", "0"]) == 1
    assert "stopped after 0 s: 4" in capsys.readouterr().err


def test_a_field_that_nobody_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--fault", "storms=3"], ["--set", "yobs=3"], ["--scenario", "meshmq.testing:Nobody"]):
        with pytest.raises(SystemExit):
            main(["--seed", "1", *wrong])
        assert "python -m meshmq.testing: error: " in capsys.readouterr().err


def test_a_run_without_a_trace_is_the_same_run() -> None:
    plan = Plan("meshmq.testing:Trial", ["jobs=50"])
    traced, bare = plan.run(3), plan.run(3, traced=False)
    assert (traced.events, traced.counts, traced.seconds) == (bare.events, bare.counts, bare.seconds)
    outcome = run(plan, range(3, 4), processes=1, limit=60, say=WORDS.append)
    assert (outcome.held, outcome.events) == (1, traced.events)
