"""Zeroconf on the loopback: nodes find each other, strangers are told apart, and failing stops nobody."""

from __future__ import annotations

import logging
import queue
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import zeroconf as library

from meshmq.discovery.zeroconf import SERVICE_TYPE
from tests.discovery.multicast_here import MULTICAST
from tests.discovery.neighbours import LIMIT, read_until, responders, zeroconf_child
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
def network() -> Iterator[library.Zeroconf]:
    """Another program on the same network, which sees what is announced and may announce anything."""
    other = library.Zeroconf(interfaces=["127.0.0.1"])
    yield other
    other.close()


def test_two_processes_find_each_other(nodes: list[Node], mesh_name: str) -> None:
    child_id = secrets.token_bytes(16)
    with zeroconf_child(mesh_name, child_id) as child:
        nodes.append(node := Node(mesh_name).start())
        assert node.ear.hears(child_id)
        assert node.ear.rumours[0].addresses == ("tcp://127.0.0.1:4242",)
        read_until(child, f"{node.id.hex()} tcp://127.0.0.1:5555")


def test_nodes_of_one_process_share_one_responder(nodes: list[Node], mesh_name: str) -> None:
    nodes += [first := Node(mesh_name).start(), second := Node(mesh_name).start()]
    assert first.ear.hears(second.id)
    assert second.ear.hears(first.id)
    assert len(responders()) == 1
    first.discovery.close()
    assert len(responders()) == 1
    second.discovery.close()
    assert not responders()


def test_equal_names_are_two_nodes(nodes: list[Node], mesh_name: str) -> None:
    nodes += [Node(mesh_name, name="twin").start() for _ in range(3)]
    assert nodes[0].ear.hears(nodes[1].id)
    assert nodes[0].ear.hears(nodes[2].id)


@pytest.mark.parametrize("name", ["a.b.c", "x" * 200, "küche", "_tcp.local"])
def test_every_name_of_a_node_can_be_announced(name: str, nodes: list[Node], mesh_name: str) -> None:
    nodes += [Node(mesh_name, name=name).start(), Node(mesh_name).start()]
    assert nodes[1].ear.hears(nodes[0].id)


def test_another_mesh_is_not_told(nodes: list[Node], mesh_name: str) -> None:
    nodes += [Node(f"{mesh_name}-other").start(), Node(mesh_name).start(), Node(mesh_name).start()]
    assert nodes[1].ear.hears(nodes[2].id)
    assert nodes[2].ear.hears(nodes[1].id)
    assert nodes[0].ear.rumours == []
    assert nodes[0].id not in nodes[1].ear.ids | nodes[2].ear.ids


def test_another_secret_is_a_stranger_told_once(nodes: list[Node], mesh_name: str) -> None:
    nodes += [ours := Node(mesh_name, b"ours").start(), theirs := Node(mesh_name, b"them", name="hall").start()]
    assert ours.strangers.get(timeout=LIMIT) == ("hall", "tcp://127.0.0.1:5555", b"them")
    assert theirs.strangers.get(timeout=LIMIT) == ("kitchen", "tcp://127.0.0.1:5555", b"ours")
    nodes.append(friend := Node(mesh_name, b"ours"))
    ours.discovery.refresh()
    friend.start()
    assert ours.ear.hears(friend.id)
    assert ours.ear.ids == {friend.id}
    assert ours.strangers.empty()


def test_without_a_secret_one_with_a_secret_is_a_stranger(nodes: list[Node], mesh_name: str) -> None:
    nodes += [ours := Node(mesh_name).start(), Node(mesh_name, b"them").start()]
    assert ours.strangers.get(timeout=LIMIT)[2] == b"them"
    assert ours.ear.rumours == []


def test_coming_and_going_is_seen_at_once_and_shows_nothing_else(
    nodes: list[Node], mesh_name: str, network: library.Zeroconf
) -> None:
    seen: queue.Queue[tuple[str, str]] = queue.Queue()

    def changed(zeroconf: library.Zeroconf, service_type: str, name: str, state_change: Any) -> None:
        seen.put((state_change.name, name))

    browser = library.ServiceBrowser(network, SERVICE_TYPE, handlers=[changed])
    nodes.append(node := Node(mesh_name, b"ours").start())
    name = f"kitchen-{node.id.hex()[:8]}.{SERVICE_TYPE}"
    _expect(seen, ("Added", name))
    info = network.get_service_info(SERVICE_TYPE, name)
    assert info is not None
    assert info.decoded_properties == {"id": node.id.hex(), "mesh": mesh_name, "tag": b"ours".hex()}
    assert (info.port, info.parsed_addresses(), info.server) == (5555, ["127.0.0.1"], f"meshmq-{node.id.hex()}.local.")
    node.discovery.close()
    _expect(seen, ("Removed", name))
    browser.cancel()


def test_started_again_it_is_found_as_a_new_node(nodes: list[Node], mesh_name: str) -> None:
    nodes.append(staying := Node(mesh_name).start())
    for _ in range(3):
        nodes.append(again := Node(mesh_name, name="again").start())
        assert staying.ear.hears(again.id)
        again.discovery.close()


def test_records_that_are_not_a_nodes_are_passed_over(
    nodes: list[Node], mesh_name: str, network: library.Zeroconf, caplog: pytest.LogCaptureFixture
) -> None:
    nodes.append(node := Node(mesh_name).start())
    for number, properties in enumerate([{}, {"id": "zz"}, {"mesh": mesh_name, "id": "00"}, {"mesh": "x" * 200}]):
        network.register_service(
            library.ServiceInfo(
                SERVICE_TYPE,
                f"foreign.{number}.{SERVICE_TYPE}",
                port=1,
                server=f"foreign-{number}.local.",
                parsed_addresses=["127.0.0.1"],
                properties=dict(properties),
            ),
            cooperating_responders=True,
        )
    nodes.append(friend := Node(mesh_name).start())
    assert node.ear.hears(friend.id)
    assert node.ear.ids == {friend.id}
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_many_are_all_found(nodes: list[Node], mesh_name: str) -> None:
    nodes += [Node(mesh_name).start() for _ in range(scale(40, 200))]
    for node in (nodes[0], nodes[-1]):
        wanted = {other.id for other in nodes} - {node.id}
        assert node.ear.wait_for(lambda rumours, wanted=wanted: wanted <= {each.node_id for each in rumours}, 60)  # type: ignore[misc]  # mypy sees no default here


def _expect(seen: queue.Queue[tuple[str, str]], wanted: tuple[str, str]) -> None:
    """Wait for one event among those of other meshes."""
    while seen.get(timeout=LIMIT) != wanted:
        pass
