"""MeshMQ's newcomers: how soon one has its first job done, and knows all who are there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshmq.bench.nodes import opened
from meshmq.bench.push import QUEUE, pull
from meshmq.bench.values import value_of
from meshmq.bench.work import LIMIT, Place, Work
from meshmq.errors import MeshError

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

__all__ = ["come", "pull", "started"]


def come(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Open a node, push a job, wait for its ack, and for the others; each time anew."""
    value, first, whole = value_of(work), [], []
    with opened(work, place, addresses) as node:  # what is imported later has been
        node.wait_for(pull=QUEUE, count=work.receivers, timeout=LIMIT)
    stage.tell(ready=True)
    stage.wait_for_go()
    began = time.perf_counter()
    for _ in range(work.share):
        begun = time.perf_counter()
        with opened(work, place, addresses) as node:
            node.push(QUEUE, value)
            node.flush(LIMIT)
            first.append(time.perf_counter() - begun)
            node.wait_for(pull=QUEUE, count=work.receivers, timeout=LIMIT)
            whole.append(time.perf_counter() - begun)
    seconds = time.perf_counter() - began
    stage.tell(seconds=seconds, first=first, roster=whole, start=[_start(place, addresses)])
    stage.wait_for_stop()


def _start(place: Place, addresses: Sequence[str]) -> float:
    """Return what a program takes from its start to the ack of its first job."""
    environment = {**os.environ, "MESHMQ_MESH": place.mesh, "MESHMQ_RUNTIME_DIR": place.directory}
    if place.secret is not None:
        environment["MESHMQ_SECRET"] = place.secret
    if place.transport == "ipc":
        return started(["-m", "meshmq.bench.newcomer"], environment)
    insecure = ["--insecure"] if place.secret is None else []
    with tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp") as alone:
        environment |= {"MESHMQ_RUNTIME_DIR": alone, "MESHMQ_PEERS": ",".join(addresses)}
        return started(["-m", "meshmq.bench.newcomer", *insecure], environment)


def started(command: Sequence[str], environment: dict[str, str]) -> float:
    """Start a program that says when its first job was done; return how long that took.

    Raises:
        MeshError: it has failed.
    """
    begun = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    if ended.returncode:
        raise MeshError(f"a newcomer of the bench has failed: {ended.stderr.strip()[-200:]}")
    return float(ended.stdout) - begun
