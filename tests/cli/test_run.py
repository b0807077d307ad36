"""``meshmq run`` keeps the handlers of a module at work, in processes that come and go."""

from __future__ import annotations

import itertools
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from meshmq import Event, Node
from meshmq.cli.run import changes, files_of
from tests.cli.conftest import Meshmq
from tests.network.children import LIMIT

MODULE: Final = """
import itertools
import os
import meshmq
node = meshmq.Node()
other = 1
print("imported", os.getpid())

@node.reply("pid")
def pid(data):
    return os.getpid()

@node.pull("jobs")
def work(number):
    node.push("done", number)
"""
ASYNC: Final = MODULE.replace("Node", "AsyncNode").replace("def ", "async def ").replace("    node.", "    await node.")


@pytest.fixture(params=["blocking", pytest.param("aio", marks=pytest.mark.stress)])
def module(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the file of the module ``serving``, of either face."""
    file = tmp_path / "serving.py"
    file.write_text(MODULE if request.param == "blocking" else ASYNC)
    return file


def test_workers_share_the_work_and_a_killed_one_comes_again(meshmq: Meshmq, mesh_name: str, module: Path) -> None:
    run = meshmq("run", "serving:node", "--workers", "2")
    with Node(mesh=mesh_name) as node:
        peers = node.wait_for(reply="pid", count=2, timeout=LIMIT)
        pids = {node.request("pid", to=peer.id, timeout=LIMIT) for peer in peers}
        assert {peer.name for peer in peers} == {f"serving-{pid}" for pid in pids}
        killed = pids.pop()
        os.kill(killed, signal.SIGKILL)
        assert next(event.name for event in node.events(LIMIT) if event.kind == "lost") == f"serving-{killed}"
        node.wait_for(reply="pid", count=2, timeout=LIMIT)
        again = {node.request("pid", to=peer.id, timeout=LIMIT) for peer in node.peers()}
        assert killed not in again
        assert pids < again
        run.signal(signal.SIGTERM)
        assert run.wait() == 0
    assert sorted({line.split(": ")[0] for line in run.rest()}) == ["serving-1", "serving-2"]


def test_signal_drains_and_nothing_is_lost_or_done_twice(meshmq: Meshmq, mesh_name: str, module: Path) -> None:
    jobs = 400
    first = meshmq("run", "serving:node", "--workers", "2")
    with Node("parent", mesh=mesh_name) as node, node.pull("done") as done:
        node.wait_for(pull="jobs", count=2, timeout=LIMIT)
        node.queue("jobs").push_many(range(jobs))
        counted: Counter[int] = Counter()
        while len(counted) < jobs:
            message = done.receive(LIMIT)
            message.ack()  # the workers wait for it before they end
            counted[message.data] += 1
            if counted.total() == 20:
                first.signal(signal.SIGTERM)
                meshmq("run", "serving:node")
        assert first.wait() == 0, first.rest()
        assert set(counted.values()) == {1}
        node.flush(LIMIT)
        assert node.stats()["queues"]["jobs"]["push"]["redelivered"] == 0


def test_change_of_a_file_starts_the_workers_anew(meshmq: Meshmq, mesh_name: str, tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "prices.py").write_text("PRICE = 1\n")
    (package / "orders.py").write_text(
        "import meshmq\nfrom shop.prices import PRICE\nnode = meshmq.Node('shop')\nprint('price', PRICE)\n"
        "@node.reply('price')\ndef price(data):\n    return PRICE\n"
    )
    run = meshmq("run", "shop.orders:node", "--reload")
    with Node(mesh=mesh_name) as node:
        assert node.request("price", timeout=LIMIT) == 1
        (package / "prices.py").write_text("PRICE = 1 +\n")
        run.until("SyntaxError")
        (package / "prices.py").write_text("PRICE = 2000\n")
        run.until("price 2000")
        assert node.request("price", timeout=LIMIT) == 2000
    run.signal(signal.SIGINT)
    assert run.wait() == 0


def test_name_of_the_module_is_shared_and_the_options_reach_it(meshmq: Meshmq, mesh_name: str, module: Path) -> None:
    run = meshmq("run", "serving:node", "--workers", "2", "--name", "both", "--mesh", f"{mesh_name}x")
    with Node(mesh=f"{mesh_name}x") as node:
        assert {peer.name for peer in node.wait_for(reply="pid", count=2, timeout=LIMIT)} == {"both"}
    run.signal(signal.SIGTERM)
    assert run.wait() == 0


def test_drained_worker_stays_away_and_the_last_ends_it(meshmq: Meshmq, mesh_name: str, module: Path) -> None:
    run = meshmq("run", "serving:node", "--workers", "2")
    with Node(mesh=mesh_name) as node:
        for peer in node.wait_for(reply="pid", count=2, timeout=LIMIT):
            assert node.request("meshmq.drain", to=peer.id, timeout=LIMIT) == "draining"
        assert run.wait() == 0
    assert len(run.rest()) == 2


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nonesuch:node", "there is no module 'nonesuch'"),
        ("serving.deeper:node", "there is no module 'serving.deeper'"),
        ("serving:nonesuch", "module 'serving' has no 'nonesuch'; nodes there: node"),
        ("serving:other", "serving:other is no Node or AsyncNode but of type int; nodes there: node"),
        ("serving:meshmq", "is no Node or AsyncNode but of type module"),
    ],
)
def test_what_is_no_node_ends_it_with_two(meshmq: Meshmq, tmp_path: Path, target: str, said: str) -> None:
    (tmp_path / "serving.py").write_text(MODULE)
    run = meshmq("run", target, "--workers", "2")
    assert run.wait() == 2
    assert said in "\n".join(run.rest())


def test_module_that_fails_is_tried_again_with_its_traceback(meshmq: Meshmq, tmp_path: Path) -> None:
    (tmp_path / "serving.py").write_text("import nonesuch\n")
    run = meshmq("run", "serving:node")
    for _ in range(2):
        run.until("ModuleNotFoundError: No module named 'nonesuch'")
    run.signal(signal.SIGINT)
    assert run.wait() in (0, 1)  # between two attempts, or in one


def test_handlers_that_are_missing_are_missed(meshmq: Meshmq, tmp_path: Path) -> None:
    (tmp_path / "serving.py").write_text("import meshmq\nnode = meshmq.Node()\n")
    run = meshmq("run", "serving:node")
    run.until("serving-1: meshmq: serving:node has no handlers")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0


def test_insecure_is_for_the_module_to_say(meshmq: Meshmq) -> None:
    run = meshmq("run", "serving:node", "--insecure")
    assert run.wait() == 2
    assert "write it in the module" in run.stderr


def test_file_that_comes_goes_or_changes_is_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "shop"
    package.mkdir()
    file = package / "orders.py"
    file.touch()
    (package / "notes.txt").touch()
    changed = changes(files_of("shop.orders"))
    assert not changed()
    os.utime(file, ns=(1, 1))
    assert changed()
    assert not changed()
    (package / "more.py").touch()
    assert changed()
    file.unlink()
    assert changed()
    os.utime(package / "notes.txt", ns=(1, 1))
    assert not changed()


def test_files_of_a_module_are_found_where_python_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "single.py").touch()
    assert files_of("single")() == [tmp_path / "single.py"]
    assert "message.py" in {file.name for file in files_of("meshmq.node")()}
    assert files_of("nonesuch.module")() == []


def test_killed_it_leaves_no_worker(meshmq: Meshmq, mesh_name: str, module: Path) -> None:
    run = meshmq("run", "serving:node", "--workers", "2")
    with Node(mesh=mesh_name) as node:
        workers = {peer.name for peer in node.wait_for(reply="pid", count=2, timeout=LIMIT)}
        run.kill()
        gone = {event.name for event in itertools.islice(_endings(node), 2)}
    assert gone == workers


def _endings(node: Node) -> Iterator[Event]:
    return (event for event in node.events(LIMIT) if event.kind in ("left", "lost"))
