"""Hello, in two programs for each face: whichever starts first, the job arrives."""

from __future__ import annotations

import os
import signal

import pytest

from tests.architecture import ROOT
from tests.network.conftest import Spawn

HELLO = ROOT / "examples" / "hello"
FACES = ("blocking", "aio")


def test_faces_have_equal_files() -> None:
    assert len({frozenset(os.listdir(HELLO / face)) - {"__pycache__"} for face in FACES}) == 1  # noqa: PTH208  names are all that is needed


@pytest.mark.parametrize(
    ("pull", "push", "first"),
    [
        ("blocking", "blocking", "pull"),
        ("blocking", "aio", "push"),
        ("aio", "blocking", "push"),
        ("aio", "aio", "pull"),
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
