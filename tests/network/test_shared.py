"""Large arrays between processes of one host: what is lent is never written while somebody reads it, whoever dies."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import pytest

import meshmq
from meshmq.links.shared.pool import process_pool
from meshmq.links.shared.segments import SHARES
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.patterns.waiting import eventually
from tests.scale import scale

pytestmark = pytest.mark.skipif(not SHARES, reason="this system has no memfd")

COLLECTOR: Final = Path(__file__).parent / "programs" / "collector.py"
SIZE: Final = 300_000


def array(number: int) -> list[object]:
    return [number, np.full(SIZE, number % 251, np.uint8)]


def push(node: meshmq.Node, first: int, count: int) -> None:
    for number in range(first, first + count):
        node.push("arrays", array(number))


def looks(child: Child) -> str:
    """Return what a collector says of all that it keeps."""
    child.say("look")
    return child.until(" ,")[-1]


def descriptors() -> int:
    """Return how many of this process's descriptors are of memory that is lent."""
    found = []
    for file in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one of this look has gone
            found.append(str(file.readlink()))
    return sum("memfd:meshmq" in name for name in found)


def until_lost(node: meshmq.Node, name: str) -> None:
    """Return when a peer has gone."""
    eventually(lambda: name not in {peer.name for peer in node.peers()})


def test_what_a_worker_keeps_stays_as_it_was(spawn: Spawn, mesh_name: str) -> None:
    count = scale(2_000, 30_000)
    worker = spawn(COLLECTOR, "arrays", "--keep", count // 100, env={"MESHMQ_MESH": mesh_name})
    with meshmq.Node("boss", mesh=mesh_name) as node:
        node.wait_for(pull="arrays", timeout=LIMIT)
        push(node, 1, 50)
        node.flush(LIMIT)
        assert process_pool().lends
        for first in range(51, count, 500):
            push(node, first, 500)
            node.flush(LIMIT)
            assert "kept" in looks(worker)
        assert int(looks(worker).split()[1]) >= 90
        assert "Pool of 0" not in repr(process_pool())


def test_a_worker_that_is_killed_takes_no_memory_with_it(spawn: Spawn, mesh_name: str) -> None:
    before = descriptors()
    with meshmq.Node("boss", mesh=mesh_name) as node:
        for turn in range(scale(3, 20)):
            worker = spawn(COLLECTOR, "arrays", "--keep", 1, env={"MESHMQ_MESH": mesh_name})
            node.wait_for(pull="arrays", timeout=LIMIT)
            push(node, 1000 * turn, 100)
            worker.until(f"took {1000 * turn + 40}")
            worker.kill()
            last = spawn(COLLECTOR, "arrays", "--name", f"last{turn}", env={"MESHMQ_MESH": mesh_name})
            node.flush(LIMIT)
            last.kill()
            until_lost(node, f"last{turn}")
        eventually(lambda: "0 segments, 0 bytes, 0 borrowers" in repr(process_pool()))  # with the session's end
    assert descriptors() - before <= 2, "more than the proof that this process can be read"


def test_what_a_stopped_worker_keeps_outlives_its_session(spawn: Spawn, mesh_name: str) -> None:
    settings = meshmq.Settings(silence=0.8, heartbeat=0.2)
    first = spawn(COLLECTOR, "arrays", "--name", "first", "--keep", 1, env={"MESHMQ_MESH": mesh_name})
    with meshmq.Node("boss", mesh=mesh_name, settings=settings) as node:
        node.wait_for(pull="arrays", timeout=LIMIT)
        push(node, 1, 60)
        node.flush(LIMIT)
        first.stop()
        until_lost(node, "first")
        second = spawn(COLLECTOR, "arrays", "--name", "second", "--keep", 1, env={"MESHMQ_MESH": mesh_name})
        node.wait_for(pull="arrays", timeout=LIMIT)
        push(node, 1001, 300)
        node.flush(LIMIT)
        first.resume()
        assert "kept 60" in looks(first)
        assert "kept 300" in looks(second)


SENDER: Final = """
import meshmq, numpy as np, sys
with meshmq.Node("boss") as node:
    node.wait_for(pull="arrays", timeout=20)
    for number in range(1, 10**9):
        node.push("arrays", [number, np.full(300_000, number % 251, np.uint8)])
        if number == 200:
            print("going", flush=True)
"""


def test_what_came_from_a_sender_that_is_killed_stays(spawn: Spawn, mesh_name: str) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    worker = spawn(COLLECTOR, "arrays", "--keep", 10, env=env)
    for _ in range(scale(2, 10)):
        sender = spawn(SENDER, env=env)
        sender.until("going")
        worker.until("took 300")
        sender.kill()
    assert "kept" in looks(worker)


def test_what_a_child_of_the_worker_has_stays(spawn: Spawn, mesh_name: str) -> None:
    worker = spawn(COLLECTOR, "arrays", "--keep", 50, "--fork", env={"MESHMQ_MESH": mesh_name})
    with meshmq.Node("boss", mesh=mesh_name) as node:
        node.wait_for(pull="arrays", timeout=LIMIT)
        push(node, 1, 49)
        node.flush(LIMIT)
        push(node, 50, 40)
        node.flush(LIMIT)
        assert process_pool().lends
        push(node, 90, 400)
        node.flush(LIMIT)
        assert worker.until("child")[-1] == "child True 1 ."


@pytest.mark.parametrize("which", ["sender", "worker"])
def test_it_can_be_switched_off(which: str, mesh_name: str) -> None:
    off = meshmq.Settings(shared_memory=False)
    with (
        meshmq.Node("boss", mesh=mesh_name, settings=off if which == "sender" else None) as boss,
        meshmq.Node("worker", mesh=mesh_name, settings=off if which == "worker" else None) as worker,
        worker.pull("arrays") as arrays,
    ):
        for number in range(20):
            boss.push("arrays", array(number))
            assert (arrays.receive(LIMIT).data[1] == number).all()
        assert not process_pool().lends
