"""``meshmq pull --exec`` runs one child per job, and the child's end decides."""

from __future__ import annotations

import os
import signal

import pytest

from meshmq import Node
from tests.cli.conftest import Meshmq


def test_child_is_given_its_job(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        node.push("jobs", {"n": 1})
        node.push("jobs", [2])
        show = 'cat; echo "$MESHMQ_JOB_QUEUE $MESHMQ_JOB_ATTEMPT ${#MESHMQ_JOB_ID}"'
        pull = meshmq("pull", "jobs", "--count", "2", "--exec", show)
        assert pull.rest() == ['{"n": 1}', "jobs 1 34", "[2]", "jobs 1 34"]
        assert pull.wait() == 0
        node.flush(20)
    assert pull.stderr == ""


def test_child_need_not_read_its_job(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        node.push("jobs", "x" * 1_000_000)
        assert meshmq("pull", "jobs", "--count", "1", "--exec", "true").wait() == 0
        node.flush(20)


def test_child_that_fails_gives_the_job_back(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        node.push("jobs", 1)
        pull = meshmq("pull", "jobs", "--count", "1", "--exec", "exit 3")
        assert pull.wait() == 1
        assert "is given back: exit code 3 of 'exit 3'" in pull.stderr
        assert pull.stderr.endswith("meshmq: 1 of 1 job failed and went back\n")
        again = meshmq("pull", "jobs", "--count", "1", "--exec", "echo $MESHMQ_JOB_ATTEMPT")
        assert again.line() == "2"
        assert again.wait() == 0
        node.flush(20)


def test_command_that_is_not_there_is_no_fault_of_the_job(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        node.push("jobs", 1)
        pull = meshmq("pull", "jobs", "--exec", "nonesuch-command")
        assert pull.wait() == 1
        assert "'nonesuch-command' is not found; the job in hand goes back" in pull.stderr
        with node.pull("jobs") as jobs:
            assert jobs.receive(20).data == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_ends_its_child_and_gives_the_job_back(
    number: int, code: int, meshmq: Meshmq, mesh_name: str
) -> None:
    with Node(mesh=mesh_name) as node:
        node.push("jobs", 1)
        pull = meshmq("pull", "jobs", "--exec", "echo $$; exec tail -f /dev/null")
        child = int(pull.line())
        pull.signal(number)
        assert pull.wait() == code
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
        with node.pull("jobs") as jobs:
            assert jobs.receive(20).redelivered
    assert "Traceback" not in pull.stderr
