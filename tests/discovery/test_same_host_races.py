"""Same host under races: forks, processes that come and go, two that start at once."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshmq.discovery.directory import make_private
from tests.discovery.neighbours import LIMIT, files
from tests.discovery.neighbours import HostNode as Node
from tests.scale import scale


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    made: list[Node] = []
    yield made
    for node in made:
        node.discovery.close()


_FORKS = """
import os, secrets, signal, sys
from meshmq.discovery.base import Announcement
from meshmq.discovery.same_host import SameHost

node_id = secrets.token_bytes(16)
node = SameHost(sys.argv[1], node_id)
node.start(Announcement(node_id, "parent", sys.argv[1], b"", None, ()), print)
if os.fork() == 0:
    node.close()
    node.refresh()
    print("child is there", node_id.hex(), flush=True)
    sys.stdin.read()
    os._exit(0)
signal.pause()
"""


def test_a_forked_child_neither_hides_nor_revives_its_parent(nodes: list[Node], mesh_name: str) -> None:
    """The child closes what it inherited: the parent stays; the parent is killed: the child does not keep its lock."""
    with subprocess.Popen(
        [sys.executable, "-c", _FORKS, mesh_name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        parent_id = bytes.fromhex(parent.stdout.readline().split()[-1])
        nodes.append(node := Node(mesh_name).start())
        assert node.ear.ids == {parent_id}
        parent.kill()
        parent.wait(LIMIT)
        nodes.append(later := Node(mesh_name).start())
        assert later.ear.ids == {node.id}, "the child lives and has its stdin open"


_COMES_AND_GOES = """
import os, secrets, sys
from meshmq.discovery.base import Announcement
from meshmq.discovery.same_host import SameHost

print("ready", flush=True)
sys.stdin.readline()
for turn in range(int(sys.argv[2])):
    node_id = secrets.token_bytes(16)
    node = SameHost(sys.argv[1], node_id)
    socket = node.endpoint("control").removeprefix("ipc://")
    open(socket, "x").close()
    node.start(Announcement(node_id, "brief", sys.argv[1], b"", None, ()), lambda rumour: None)
    node.refresh()
    if not os.path.exists(socket) or "deleted" in node.status:
        sys.exit("a living node's files were deleted")
    if turn % 3:
        node.close()
    else:
        node._descriptor and os.close(node._descriptor)  # as a killed process: the lock goes, the files stay
        __import__("meshmq.discovery.entries", fromlist=["_held"])._held.clear()
"""


def test_no_race_deletes_the_living(nodes: list[Node], mesh_name: str) -> None:
    """Four processes come and go, and clear away each other's dead, while one stays."""
    nodes.append(staying := Node(mesh_name).start())
    control = Path(staying.discovery.endpoint("control").removeprefix("ipc://"))
    control.touch()
    turns = scale(60, 1000)
    brief = [
        subprocess.Popen(
            [sys.executable, "-c", _COMES_AND_GOES, mesh_name, str(turns)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in brief:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in brief:
        process.communicate("\n", timeout=scale(50, 400))
    assert [process.returncode for process in brief] == [0] * 4
    assert control.exists()
    nodes.append(late := Node(mesh_name).start())
    assert late.ear.ids == {staying.id}
    assert files(control.parent) == sorted(
        [control.name, f"{staying.id.hex()[:16]}.lock", f"{late.id.hex()[:16]}.lock"]
    )


def test_of_two_that_start_at_once_one_sees_the_other(mesh_name: str) -> None:
    for _ in range(scale(30, 500)):
        pair = [Node(mesh_name), Node(mesh_name)]
        gate = threading.Barrier(2)
        threads = [threading.Thread(target=_start_at, args=(node, gate)) for node in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert pair[0].ear.ids | pair[1].ear.ids <= {pair[0].id, pair[1].id}
        assert pair[0].ear.rumours or pair[1].ear.rumours
        for node in pair:
            node.discovery.close()


def _start_at(node: Node, gate: threading.Barrier) -> None:
    node.discovery.endpoint("control")
    gate.wait(LIMIT)
    node.start()


def test_a_hundred_neighbours_cost_no_descriptors(nodes: list[Node], mesh_name: str) -> None:
    nodes += [Node(mesh_name).start() for _ in range(100)]
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    nodes[0].discovery.refresh()
    assert len(nodes[0].ear.ids) == 99
    after = len(list(Path("/proc/self/fd").iterdir())) if before else 0
    assert after == before


def test_a_directory_that_others_remove_as_fast_is_made(runtime_directory: Path) -> None:
    """The last to leave a mesh takes its empty directory with it, between any two steps of who comes."""
    directory = runtime_directory / "0123abcd"
    over = threading.Event()

    def leave() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                directory.rmdir()

    others = [threading.Thread(target=leave) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(scale(1_000, 3_000)):
            make_private(directory)
    finally:
        over.set()
        for other in others:
            other.join(LIMIT)
