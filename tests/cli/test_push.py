"""``meshmq push`` ends when its jobs are done, and says so when they are not."""

from __future__ import annotations

import signal

import pytest

from meshmq import Node
from tests.cli.conftest import Meshmq


def test_arguments_are_jobs_in_order(meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node, node.pull("jobs") as jobs:
        push = meshmq("push", "jobs", '{"n": 1}', "[2]", "-3", '"ü"')
        assert [jobs.receive(20).data for _ in range(4)] == [{"n": 1}, [2], -3, "ü"]
        assert push.running  # the last is not confirmed
        with pytest.raises(TimeoutError):
            jobs.receive(0)  # which confirms it
        assert push.wait() == 0
    assert push.rest() == []
    assert push.stderr == ""


def test_lines_of_stdin_are_jobs(meshmq: Meshmq, mesh_name: str) -> None:
    push = meshmq("push", "jobs")
    push.say('{"n": 1}')
    push.say("")
    push.say(" [2] ")
    with Node(mesh=mesh_name) as node:
        with node.pull("jobs") as jobs:  # the first is here before the input ends
            assert jobs.receive(20).data == {"n": 1}
            push.end_input()
            assert jobs.receive(20).data == [2]
        assert push.wait() == 0


def test_bad_line_ends_it_with_its_number_when_those_before_are_done(meshmq: Meshmq, mesh_name: str) -> None:
    push = meshmq("push", "jobs")
    push.say("1")
    push.say("{'n': 2}")
    push.say("3")
    push.end_input()
    with Node(mesh=mesh_name) as node:
        with node.pull("jobs") as jobs:
            assert jobs.receive(20).data == 1
        assert push.wait() == 2
    assert "line 2 is no JSON value: \"{'n': 2}\"" in push.stderr


def test_nobody_there_ends_it_with_one_and_the_count(meshmq: Meshmq) -> None:
    push = meshmq("push", "jobs", "1", "2", "--timeout", "0.2")
    assert push.wait() == 1
    assert push.rest() == []
    assert push.stderr == (
        "meshmq: 2 jobs of 2 not confirmed, and no progress for 0.2 s; a worker would be: meshmq pull jobs\n"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_says_what_is_left(number: int, code: int, meshmq: Meshmq, mesh_name: str) -> None:
    with Node(mesh=mesh_name) as node:
        push = meshmq("push", "jobs", "1", "2", "--name", "pusher")
        assert next(event for event in node.events(20) if event.name == "pusher").kind == "joined"
        with node.pull("jobs", prefetch=1) as jobs:
            assert jobs.receive(20).data == 1
            push.signal(number)
            assert push.wait() == code
    assert "not confirmed" in push.stderr
    assert "Traceback" not in push.stderr
