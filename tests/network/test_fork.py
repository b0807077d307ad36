"""A forked child finds its parent's node closed to it, makes one of its own, and the parent feels nothing."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

import meshmq
from meshmq.errors import TimedOut
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.scale import scale

PROGRAMS: Final = Path(__file__).parent / "programs"
ENDS: Final = {"exception": 1}


@pytest.mark.parametrize("way", ["os._exit", "exit", "exception", "fork", "spawn", "forkserver"])
def test_a_forked_child_is_refused_and_its_parent_is_undisturbed(spawn: Spawn, mesh_name: str, way: str) -> None:
    with meshmq.Node("worker", mesh=mesh_name) as node:
        jobs = node.pull("jobs")
        parent = spawn(PROGRAMS / "forker.py", way, env={"MESHMQ_MESH": mesh_name})
        numbers, others = until_pushed(jobs, parent)
        assert parent.wait() == 0, parent.stderr
        happened = [(event.kind, event.name) for event in node.events(timeout=0)]
    said = parent.rest()
    assert numbers == list(range(len(numbers)))  # none is missing, none is there twice, none came from a child
    assert len(others) == 1
    assert others[0].startswith("from child ")
    check(parent, said, way)
    assert [event for event in happened if event[1] == "parent" and event[0] != "changed"] == [
        ("joined", "parent"),
        ("left", "parent"),
    ]
    assert ("joined", "child") in happened
    # os._exit ends a child so soon that its goodbye may stay behind; its end does not.
    assert ("left", "child") in happened or ("lost", "child") in happened


def until_pushed(jobs: meshmq.Receiver[meshmq.Message], parent: Child) -> tuple[list[int], list[str]]:
    """Work until the parent has ended."""
    numbers: list[int] = []
    others: list[str] = []
    while parent.running:  # it ends when all it has pushed is acked
        with suppress(TimedOut):
            message = jobs.receive(0.2)
            (numbers if isinstance(message.data, int) else others).append(message.data)
            message.ack()
    return numbers, others


def check(parent: Child, said: list[str], way: str) -> None:
    assert not [line for line in said if line.startswith(("wrong", "accepted"))], said
    assert said.count("refused True") == (0 if way in ("spawn", "forkserver") else 1)
    assert "child delivered" in said
    assert f"child ended {ENDS.get(way, 0)}" in said
    assert said.count("closed") == 1
    assert "dropped 0" in said
    assert "stuck" not in parent.stderr
    assert ("Traceback" in parent.stderr) == (way == "exception"), parent.stderr


def test_a_node_made_and_not_opened_before_a_fork_is_two_nodes_after(mesh_name: str) -> None:
    with meshmq.Node("worker", mesh=mesh_name) as worker:
        jobs = worker.pull("jobs")
        node = meshmq.Node("remembered", mesh=mesh_name)
        child = os.fork()
        if not child:
            try:
                with node:
                    node.push("jobs", node.id)
                os._exit(0)
            finally:
                os._exit(1)
        with node:
            node.push("jobs", node.id)
            got = set()
            for _ in range(2):
                message = jobs.receive(LIMIT)
                got.add(message.data)
                message.ack()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert node.id in got
    assert len(got) == 2


def test_a_forked_child_that_outlives_its_parent_keeps_nobody_here(spawn: Spawn, mesh_name: str) -> None:
    with meshmq.Node("seer", mesh=mesh_name) as node:
        events = node.events(timeout=LIMIT)
        parent = spawn(OUTLIVED, env={"MESHMQ_MESH": mesh_name})
        assert (next(events).name) == "parent"
        orphan = int(parent.line())
        parent.kill()
        event = next(events)
        assert (event.kind, event.name) == ("lost", "parent")
        os.kill(orphan, 9)


OUTLIVED: Final = """
import os, signal
import meshmq
node = meshmq.Node("parent").open()
child = os.fork()
if child:
    print(child, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_what_a_child_of_multiprocessing_left_open_is_delivered(spawn: Spawn, mesh_name: str, way: str) -> None:
    with meshmq.Node("worker", mesh=mesh_name) as node:
        jobs = node.pull("jobs")
        parent = spawn(PROGRAMS / "careless.py", way, env={"MESHMQ_MESH": mesh_name})
        got = []
        for _ in range(100):
            message = jobs.receive(LIMIT)
            got.append(message.data)
            message.ack()
        assert parent.wait() == 0, parent.stderr
    assert got == list(range(100))
    assert parent.stderr == ""


def test_the_goodbye_of_a_process_comes_before_its_end(spawn: Spawn, mesh_name: str) -> None:
    with meshmq.Node("seer", mesh=mesh_name) as node:
        children = [spawn(BRIEF, env={"MESHMQ_MESH": mesh_name}) for _ in range(scale(4, 16))]
        events = (event.kind for event in node.events(timeout=3 * LIMIT) if event.kind != "changed")
        assert [next(events) for _ in children] == ["joined"] * len(children)
        for child in children:
            child.say("leave")
        assert [next(events) for _ in children] == ["left"] * len(children)
        assert [child.wait() for child in children] == [0] * len(children)


BRIEF: Final = """
import sys, meshmq
with meshmq.Node("brief"):
    sys.stdin.readline()
"""
