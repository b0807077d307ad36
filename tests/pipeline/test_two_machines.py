"""A stage of a pipeline on a second machine: it joins by name, takes its share, and may go."""

from __future__ import annotations

import json
import secrets
import signal
import sys
from pathlib import Path

import pytest

from tests.network.conftest import Namespaces, Start

pytestmark = [pytest.mark.stress, pytest.mark.root]

PROGRAM = Path(__file__).parent / "programs" / "shares.py"
NUMBERS = 4_000


def test_workers_on_a_second_machine_take_a_share(namespaces: Namespaces, start: Start, mesh_name: str) -> None:
    left, right = namespaces(2).nodes
    env = {"MESHMQ_MESH": mesh_name, "MESHMQ_SECRET": secrets.token_urlsafe(32)}
    command = [sys.executable, "-m", "meshmq", "up", f"{PROGRAM}:pipeline"]
    arguments = ["--arguments", str(NUMBERS)]
    joined = start(
        right.command(*command, "--only", "work", "--workers", "3", "-v", *arguments),
        env={**right.env, **env, "MACHINE": "right"},
    )
    joined.until("joined")
    whole = start(left.command(*command, *arguments), env={**left.env, **env, "MACHINE": "left"})
    lines = whole.rest(60)
    assert whole.wait() == 0, whole.stderr
    told = json.loads(next(line for line in lines if line.startswith("count-1: {")).partition(": ")[2])
    assert told["different"] == NUMBERS
    assert told["left"] > 0
    assert told["right"] > 0, "the workers of the second machine did some"
    assert "count" in whole.stderr.splitlines()[-1]
    joined.signal(signal.SIGTERM)
    assert joined.wait() == 0, joined.stderr
