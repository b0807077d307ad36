"""Same host: who is alive, who is dead, and that no race takes one for the other."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshmq.discovery import same_host as module
from meshmq.discovery.same_host import SameHost
from meshmq.errors import LinkError
from tests.discovery.neighbours import LIMIT, files, same_host_child
from tests.discovery.neighbours import HostNode as Node


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    made: list[Node] = []
    yield made
    for node in made:
        node.discovery.close()


def test_two_of_one_process_find_each_other(nodes: list[Node], mesh_name: str) -> None:
    first, second = (Node(mesh_name).start() for _ in range(2))
    nodes += [first, second]
    assert second.ear.ids == {first.id}
    first.discovery.refresh()
    assert first.ear.ids == {second.id}
    assert second.ear.rumours[0].addresses == (first.discovery.endpoint("control"),)


def test_two_processes_find_each_other(nodes: list[Node], mesh_name: str) -> None:
    child_id = secrets.token_bytes(16)
    with same_host_child(mesh_name, child_id):
        nodes.append(node := Node(mesh_name).start())
        assert node.ear.ids == {child_id}
        assert node.discovery.living() == 1
        assert "1 neighbour in" in node.discovery.status


def test_equal_names_are_two_nodes(nodes: list[Node], mesh_name: str) -> None:
    nodes += [Node(mesh_name, "twin").start(), Node(mesh_name, "twin").start(), Node(mesh_name, "twin").start()]
    assert len(nodes[2].ear.ids) == 2


def test_another_mesh_is_another_directory(nodes: list[Node], mesh_name: str) -> None:
    nodes += [Node(mesh_name).start(), Node(f"{mesh_name}-other").start()]
    assert nodes[1].ear.rumours == []
    assert nodes[1].discovery.living() == 0


def test_endpoints_are_those_of_the_node(nodes: list[Node], mesh_name: str, runtime_directory: Path) -> None:
    nodes.append(node := Node(mesh_name))
    control, topics, direct = (node.discovery.endpoint(link) for link in ("control", "topics", "direct"))
    assert control.startswith(f"ipc://{runtime_directory}/")
    assert control.endswith(f"/{node.id.hex()[:16]}.c")
    assert topics.endswith(f"/{node.id.hex()[:16]}.t")
    assert direct.endswith(f"/{node.id.hex()[:16]}.d")
    assert node.discovery.endpoint("control") == control


def test_one_that_is_not_announced_is_not_found(nodes: list[Node], mesh_name: str, runtime_directory: Path) -> None:
    with same_host_child(mesh_name, secrets.token_bytes(16), "bound"):
        nodes.append(node := Node(mesh_name).start())
        assert node.ear.rumours == []
        assert len(files(runtime_directory)) == 5, "its sockets and its entry are still there, and so is ours"


@pytest.mark.parametrize("stage", ["announced", "bound"])
def test_a_killed_process_leaves_no_ghost(
    stage: str, nodes: list[Node], mesh_name: str, runtime_directory: Path
) -> None:
    with same_host_child(mesh_name, secrets.token_bytes(16), stage) as child:
        left = files(runtime_directory)
        child.kill()
        child.wait(LIMIT)
        assert files(runtime_directory) == left, "nobody was there to tidy up"
    nodes.append(node := Node(mesh_name).start())
    assert node.ear.rumours == []
    assert files(runtime_directory) == [f"{node.id.hex()[:16]}.lock"]


def test_killed_and_started_again_it_is_found_once(nodes: list[Node], mesh_name: str) -> None:
    with same_host_child(mesh_name, secrets.token_bytes(16)) as child:
        child.kill()
        child.wait(LIMIT)
    again = secrets.token_bytes(16)
    with same_host_child(mesh_name, again):
        nodes.append(node := Node(mesh_name).start())
        assert [rumour.node_id for rumour in node.ear.rumours] == [again]


def test_a_stopped_process_is_alive(nodes: list[Node], mesh_name: str) -> None:
    child_id = secrets.token_bytes(16)
    with same_host_child(mesh_name, child_id) as child:
        child.send_signal(signal.SIGSTOP)
        nodes.append(node := Node(mesh_name).start())
        child.send_signal(signal.SIGCONT)
        assert node.ear.ids == {child_id}


def test_closing_takes_all_files_away(mesh_name: str, runtime_directory: Path) -> None:
    node = Node(mesh_name).start()
    Path(node.discovery.endpoint("control").removeprefix("ipc://")).touch()
    node.discovery.close()
    assert list(runtime_directory.rglob("*")) == []


def test_closing_before_the_start_takes_all_files_away(mesh_name: str, runtime_directory: Path) -> None:
    node = Node(mesh_name)
    node.discovery.endpoint("direct")
    node.discovery.close()
    assert list(runtime_directory.rglob("*")) == []


def test_what_the_dead_left_in_other_meshes_is_swept(
    nodes: list[Node], mesh_name: str, runtime_directory: Path
) -> None:
    with same_host_child(f"{mesh_name}-gone", secrets.token_bytes(16)) as child:
        child.kill()
        child.wait(LIMIT)
    nodes.append(node := Node(mesh_name).start())
    assert files(runtime_directory) == [f"{node.id.hex()[:16]}.lock"]
    assert len(list(runtime_directory.iterdir())) == 1


def test_files_and_directories_that_are_not_ours_are_left_alone(
    nodes: list[Node], mesh_name: str, runtime_directory: Path
) -> None:
    (runtime_directory / "thesis").mkdir()
    (runtime_directory / "0123abcd").mkdir()
    for name in ("thesis/poetry.lock", "0123abcd/poetry.lock", "0123abcd/0123456789abcdef.c"):
        (runtime_directory / name).touch()
    nodes.append(Node(mesh_name).start())
    assert {"poetry.lock", "0123456789abcdef.c"} <= set(files(runtime_directory))
    assert (runtime_directory / "thesis" / "poetry.lock").exists()


def test_a_name_that_is_taken_is_not_shared(nodes: list[Node], mesh_name: str) -> None:
    nodes += [first := Node(mesh_name), second := Node(mesh_name)]
    second.discovery = SameHost(mesh_name, first.id)
    assert first.discovery.endpoint("control") != second.discovery.endpoint("control")


def test_a_damaged_entry_is_found_without_its_id(nodes: list[Node], mesh_name: str) -> None:
    nodes += [first := Node(mesh_name).start(), second := Node(mesh_name)]
    Path(first.discovery.endpoint("control").removeprefix("ipc://")).with_suffix(".lock").write_bytes(b"\xff nonsense")
    second.start()
    assert second.ear.ids == {None}


def test_a_node_whose_files_were_deleted_says_so(nodes: list[Node], mesh_name: str) -> None:
    nodes.append(node := Node(mesh_name).start())
    Path(node.discovery.endpoint("control").removeprefix("ipc://")).with_suffix(".lock").unlink()
    node.discovery.refresh()
    assert "deleted this node's files" in node.discovery.status


def test_entry_deleted_before_the_announcement_is_told(mesh_name: str) -> None:
    node = Node(mesh_name)
    Path(node.discovery.endpoint("control").removeprefix("ipc://")).with_suffix(".new").unlink()
    with pytest.raises(LinkError, match="taken away"):
        node.start()
    node.discovery.close()


def test_without_file_locks_it_says_what_to_do(mesh_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HAS_FILE_LOCKS", False)
    node = Node(mesh_name)
    node.discovery.start(node.announcement, node.ear)
    assert "no file locks: give peers=" in node.discovery.status
    with pytest.raises(LinkError, match="no file locks: give peers="):
        node.discovery.endpoint("control")
