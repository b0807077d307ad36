"""Hello, in two programs for each pattern and face, which all speak with each other."""

from __future__ import annotations

import os
import signal

import pytest

import meshmq
from tests.architecture import ROOT
from tests.network.conftest import Spawn

HELLO = ROOT / "examples" / "hello"
FACES = ("blocking", "aio")


def test_faces_have_equal_files() -> None:
    files = {f"{verb}.py" for verb in ("push", "pull", "publish", "subscribe", "request", "reply")}
    assert all(set(os.listdir(HELLO / face)) - {"__pycache__"} == files for face in FACES)  # noqa: PTH208  names are all that is needed


@pytest.mark.parametrize(
    ("pull", "push", "first"),
    [
        ("blocking", "aio", "push"),
        ("aio", "blocking", "pull"),
        pytest.param("blocking", "blocking", "pull", marks=pytest.mark.stress),
        pytest.param("aio", "aio", "push", marks=pytest.mark.stress),
    ],
)
def test_job_arrives_whoever_starts_first(spawn: Spawn, mesh_name: str, pull: str, push: str, first: str) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    programs = {"pull": HELLO / pull / "pull.py", "push": HELLO / push / "push.py"}
    order = ["pull", "push"] if first == "pull" else ["push", "pull"]
    children = {name: spawn(programs[name], env=env) for name in order}
    assert children["pull"].line() == "{'n': 1}"
    assert children["push"].wait() == 0
    children["pull"].signal(signal.SIGINT)
    assert children["pull"].wait() != 0


@pytest.mark.parametrize("publish", FACES)
def test_who_publishes_once_and_leaves_is_heard_by_all_who_run(spawn: Spawn, mesh_name: str, publish: str) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    subscribers = [spawn(HELLO / face / "subscribe.py", env=env) for face in FACES]
    with meshmq.Node(mesh=mesh_name) as watcher:
        watcher.wait_for(subscribe="hello.world", count=2, timeout=20)
    publisher = spawn(HELLO / publish / "publish.py", env=env)
    for subscriber in subscribers:
        assert subscriber.line() == "hello.world {'n': 1}"
        subscriber.signal(signal.SIGINT)
        assert subscriber.wait() != 0
    assert publisher.wait() == 0, publisher.stderr


@pytest.mark.parametrize(
    ("reply", "request_", "first"),
    [
        ("blocking", "aio", "request"),
        ("aio", "blocking", "reply"),
        pytest.param("blocking", "blocking", "reply", marks=pytest.mark.stress),
        pytest.param("aio", "aio", "request", marks=pytest.mark.stress),
    ],
)
def test_request_is_answered_whoever_starts_first(
    spawn: Spawn, mesh_name: str, reply: str, request_: str, first: str
) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    programs = {"reply": HELLO / reply / "reply.py", "request": HELLO / request_ / "request.py"}
    order = ["reply", "request"] if first == "reply" else ["request", "reply"]
    children = {name: spawn(programs[name], env=env) for name in order}
    assert children["request"].line() == "3"
    assert children["request"].wait() == 0
    children["reply"].signal(signal.SIGTERM)
    assert children["reply"].wait() == 0, children["reply"].stderr
