"""``meshmq pull`` writes a job, then confirms it, and gives back what it cannot write."""

from __future__ import annotations

import signal
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from meshmq import Node
from tests.cli.conftest import Meshmq
from tests.network.conftest import Start


def test_jobs_are_lines_and_confirmed_one_by_one(meshmq: Meshmq, mesh_name: str) -> None:
    pull = meshmq("pull", "jobs", "--count", "3")
    with Node(mesh=mesh_name) as node:
        for data, line in (({"n": 1}, '{"n": 1}'), (b"hello", '{"$bytes": "aGVsbG8="}'), ("\x1b[2J", '"\\u001b[2J"')):
            node.push("jobs", data)
            assert pull.line() == line
            node.flush(20)
        assert pull.wait() == 0
    assert pull.rest() == []
    assert pull.stderr == ""


def test_what_was_fetched_beyond_the_count_goes_elsewhere_unflagged(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        node.queue("jobs").push_many(range(10))
        pull = meshmq("pull", "jobs", "--count", "2")
        assert pull.wait() == 0
        assert pull.rest() == ["0", "1"]
        with node.pull("jobs") as jobs:
            others = [jobs.receive(20) for _ in range(8)]
        assert [other.data for other in others] == list(range(2, 10))
        assert not any(other.redelivered for other in others)


def test_idle_ends_it(meshmq: Meshmq) -> None:
    assert meshmq("pull", "jobs", "--idle", "0.1").wait() == 0


def test_reader_that_has_enough_ends_it_without_another_job(start: Start, mesh_name: str, tmp_path: Path) -> None:
    code = tmp_path / "code"
    script = f"({sys.executable} -m meshmq pull jobs; echo $? > {code}) | head -n 1"
    shell = start(["sh", "-c", script], env={"MESHMQ_MESH": mesh_name})
    with Node(mesh=mesh_name) as node:
        node.push("jobs", 1)
        assert shell.line() == "1"
        assert shell.wait() == 0
        node.flush(20)  # its line was out
        assert code.read_text() == "0\n"
        node.push("jobs", 2)
        with node.pull("jobs") as jobs:
            assert not jobs.receive(20).redelivered
    assert shell.stderr == ""


@pytest.mark.parametrize(("target", "code", "said"), [("&-", 0, ""), ("/dev/full", 1, "No space left on device")])
def test_job_that_cannot_be_written_goes_back(target: str, code: int, said: str, start: Start, mesh_name: str) -> None:
    if target == "/dev/full" and not Path(target).exists():
        pytest.skip("no /dev/full here")
    with Node(mesh=mesh_name) as node:
        node.push("jobs", Decimal("1.10"))
        shell = start(
            ["sh", "-c", f"exec {sys.executable} -m meshmq pull jobs >{target}"], env={"MESHMQ_MESH": mesh_name}
        )
        assert shell.wait() == code
        with node.pull("jobs") as jobs:
            again = jobs.receive(20)
            assert (again.data, again.redelivered) == (Decimal("1.10"), True)
    assert said in shell.stderr
    assert "Traceback" not in shell.stderr
    assert "Exception" not in shell.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_it_at_once_and_quietly(number: int, code: int, meshmq: Meshmq, mesh_name: str) -> None:
    pull = meshmq("pull", "jobs")
    with Node(mesh=mesh_name) as node:
        node.wait_for(pull="jobs", timeout=20)
        pull.signal(number)
        assert pull.wait() == code
    assert pull.stderr == ""
