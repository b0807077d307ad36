"""Zeroconf where something is wrong: it says so, goes on when it can, and never stops a node."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshmq.discovery import zeroconf as module
from meshmq.discovery.adapters import adapters
from meshmq.discovery.multicast import trouble_with
from tests.architecture import ROOT
from tests.discovery.multicast_here import MULTICAST
from tests.discovery.neighbours import LIMIT, responders, zeroconf_child
from tests.discovery.neighbours import LanNode as Node
from tests.scale import scale

pytestmark = [*MULTICAST]


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    made: list[Node] = []
    yield made
    for node in made:
        node.discovery.close()
    assert not responders()


@pytest.fixture
def warnings() -> Iterator[queue.Queue[str]]:
    """What the discovery logs, for a test to wait for."""
    told: queue.Queue[str] = queue.Queue()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.put(record.getMessage())

    logger, listener = logging.getLogger("meshmq.discovery"), Listener(logging.WARNING)
    logger.addHandler(listener)
    yield told
    logger.removeHandler(listener)


def test_a_listener_that_raises_hurts_nobody_else(
    nodes: list[Node], mesh_name: str, warnings: queue.Queue[str]
) -> None:
    def raises(rumour: object) -> None:
        raise ValueError("from the listener")

    nodes += [bad := Node(mesh_name), good := Node(mesh_name)]
    bad.discovery.start(bad.announcement, raises)
    good.start()
    assert "could not be passed on" in warnings.get(timeout=LIMIT)
    nodes.append(late := Node(mesh_name).start())
    assert good.ear.hears(late.id)


def test_a_node_that_is_not_open_to_the_network_starts_nothing(mesh_name: str) -> None:
    for node in (Node(mesh_name, port=None), Node(mesh_name, interfaces=())):
        node.start()
        assert node.discovery.status == "off, this node is open to this machine only"
        assert not responders()
        node.discovery.close()


def test_an_unusable_interface_is_a_warning_with_the_cure(
    nodes: list[Node], mesh_name: str, warnings: queue.Queue[str]
) -> None:
    nodes.append(node := Node(mesh_name, interfaces=("203.0.113.7",)).start())
    said = warnings.get(timeout=LIMIT)
    assert "no multicast on 203.0.113.7" in said
    assert "set MESHMQ_INTERFACES" in said
    assert node.discovery.status in said
    for _ in range(3):
        node.discovery.refresh()
    node.discovery.close()
    assert warnings.empty(), "it is said once"


def test_one_unusable_interface_does_not_spoil_the_others(nodes: list[Node], mesh_name: str) -> None:
    nodes += [Node(mesh_name, interfaces=("203.0.113.7", "127.0.0.1")).start(), Node(mesh_name).start()]
    assert nodes[0].ear.hears(nodes[1].id)
    assert nodes[1].ear.hears(nodes[0].id)


def test_what_could_not_start_starts_when_it_can(
    nodes: list[Node], mesh_name: str, warnings: queue.Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    down = threading.Event()
    down.set()
    monkeypatch.setattr(
        f"{module.__name__}.trouble_with",
        lambda address: "the network is down" if down.is_set() else trouble_with(address),
    )
    nodes += [node := Node(mesh_name).start(), Node(mesh_name).start()]
    assert "the network is down" in warnings.get(timeout=LIMIT)
    down.clear()
    node.discovery.refresh()
    assert node.ear.hears(nodes[1].id)
    assert "found on 127.0.0.1" in node.discovery.status


def test_an_interface_that_came_back_is_joined_anew(
    nodes: list[Node], mesh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interface made again has another number, and nobody joins its groups for us."""
    child_id = secrets.token_bytes(16)
    nodes.append(node := Node(mesh_name).start())
    with zeroconf_child(mesh_name, child_id):
        assert node.ear.hears(child_id)
        here = [adapter._replace(number=99) for adapter in adapters()]
        monkeypatch.setattr(module, "adapters", lambda: here)
        opened: queue.Queue[str] = queue.Queue()

        def looked_at(address: str) -> str:
            opened.put(address)
            return trouble_with(address)

        monkeypatch.setattr(f"{module.__name__}.trouble_with", looked_at)
        before = len(node.ear.rumours)
        node.discovery.refresh()
        assert opened.get(timeout=LIMIT) == "127.0.0.1"
        assert node.ear.hears(child_id, before + 1)


def test_a_node_that_moved_is_shown_where_it_is(nodes: list[Node], mesh_name: str) -> None:
    addresses = ["127.0.0.1"]

    class Moving:
        def __call__(self) -> tuple[str, ...]:
            return tuple(addresses)

    node = Node(mesh_name, follow=Moving())
    nodes += [node.start(), other := Node(mesh_name).start()]
    assert other.ear.hears(node.id)
    addresses.append("127.0.0.2")
    node.discovery.refresh()
    assert other.ear.wait_for(lambda rumours: any("tcp://127.0.0.2:5555" in one.addresses for one in rumours))
    assert node.discovery.interfaces == ("127.0.0.1", "127.0.0.2")


def test_a_library_that_is_missing_stops_nobody(
    nodes: list[Node], mesh_name: str, warnings: queue.Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf.asyncio", None)
    nodes.append(node := Node(mesh_name).start())
    assert "zeroconf is off" in warnings.get(timeout=LIMIT)
    assert "works without it" in node.discovery.status


def test_importing_it_does_not_import_the_library() -> None:
    script = "import sys, meshmq.discovery.zeroconf; print('zeroconf' in sys.modules, 'ifaddr' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.split() == ["False", "False"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # from Python 3.12 on: it is meant
def test_a_forked_child_does_not_say_goodbye_for_its_parent(nodes: list[Node], mesh_name: str) -> None:
    nodes += [node := Node(mesh_name).start(), other := Node(mesh_name).start()]
    assert other.ear.hears(node.id)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            node.discovery.refresh()
            node.discovery.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    before = other.ear.rumours.count(other.ear.rumours[0])
    other.discovery.refresh()
    assert other.ear.hears(node.id, before + 1)


def test_opening_and_closing_leaves_no_descriptors(mesh_name: str) -> None:
    descriptors = []
    for _ in range(scale(10, 200)):
        first, second = Node(mesh_name).start(), Node(mesh_name).start()
        assert first.ear.hears(second.id)
        first.discovery.close()
        second.discovery.close()
        descriptors.append(len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0)
    assert descriptors[-1] <= descriptors[1]
