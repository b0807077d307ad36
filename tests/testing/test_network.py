"""A network for users' tests: a mesh of its own, closed in order, with time in hand if wanted."""

from __future__ import annotations

import pytest

from meshmq.discovery.base import Announcement, Discovery, Found
from meshmq.errors import NameInvalid
from meshmq.links.base import Links
from meshmq.testing import HandClock, Network, Place, open_links
from tests.testing.toys import Recorder


def announce(place: Place, node_id: bytes, heard: list[Found]) -> None:
    discovery: Discovery = place.discoveries[0]
    discovery.start(Announcement(node_id, "a", "here", b"", None, ()), heard.append)


def test_every_test_has_a_mesh_of_its_own(mesh_network: Network) -> None:
    with Network() as other:
        assert other.mesh != mesh_network.mesh
        assert mesh_network.mesh.startswith("test-")


def test_a_mesh_has_a_name_that_can_be_one() -> None:
    with pytest.raises(NameInvalid):
        Network(mesh="no such mesh")


def test_places_of_one_network_reach_each_other(mesh_network: Network) -> None:
    here, there = mesh_network.open_place(bytes(16), "here"), mesh_network.open_place(b"x" * 16, "there")
    recorder = Recorder()
    links: Links = here.links
    links.dial(0, "direct", there.links.bound.direct, [], 0.0)
    links.step(recorder, 0.0)
    assert recorder.log == [("reached", 0, "memory://there/direct")]


def test_a_second_node_of_the_same_name_stands_beside_the_first(mesh_network: Network) -> None:
    assert open_links(mesh_network, b"\x01" * 16, "twin").name == "twin"
    assert open_links(mesh_network, b"\x02" * 16, "twin").name == "twin-02020202"


def test_who_announces_itself_is_found_and_finds(mesh_network: Network) -> None:
    here, there = mesh_network.open_place(b"h" * 16, "here"), mesh_network.open_place(b"t" * 16, "there")
    heard_here: list[Found] = []
    heard_there: list[Found] = []
    announce(here, b"h" * 16, heard_here)
    assert heard_here == []
    announce(there, b"t" * 16, heard_there)
    assert heard_here == [Found("memory", ("memory://there/control",), b"t" * 16)]
    assert heard_there == [Found("memory", ("memory://here/control",), b"h" * 16)]
    here.discoveries[0].refresh()
    assert len(heard_here) == 2
    there.discoveries[0].close()
    there.discoveries[0].close()
    here.discoveries[0].refresh()
    assert len(heard_here) == 2


def test_another_mesh_is_not_found(mesh_network: Network) -> None:
    heard: list[Found] = []
    announce(mesh_network.open_place(b"h" * 16, "here"), b"h" * 16, heard)
    stranger = mesh_network.open_place(b"s" * 16, "stranger")
    stranger.discoveries[0].refresh()
    stranger.discoveries[0].start(Announcement(b"s" * 16, "s", "elsewhere", b"", None, ()), heard.append)
    assert heard == []


def test_the_status_says_whether_it_was_started(mesh_network: Network) -> None:
    place = mesh_network.open_place(bytes(16), "a")
    assert place.discoveries[0].status == "not started"
    announce(place, bytes(16), [])
    assert place.discoveries[0].status == "nodes of the same in-memory network"


def test_nodes_are_closed_newest_first_and_all_of_them() -> None:
    closed: list[str] = []

    def fail() -> None:
        closed.append("bad")
        raise OSError("will not")

    network = Network()
    links = open_links(network, bytes(16), "a")
    network.at_close(lambda: closed.append("first"))
    network.at_close(fail)
    network.at_close(lambda: closed.append("last"))
    with pytest.raises(OSError, match="will not"):
        network.close()
    assert closed == ["last", "bad", "first"]
    assert links.closed
    network.at_close(fail)
    network.at_close(fail)
    with pytest.raises(ExceptionGroup, match="several nodes"):
        network.close()


def test_time_is_in_the_tests_hand_if_it_brings_a_clock(mesh_network: Network) -> None:
    clock = HandClock()
    with Network(clock=clock) as network:
        network.advance(2)
        assert network.open_place(bytes(16), "a").clock() == clock.now() == 1002.0
        assert repr(network) == f"<Network {network.mesh!r} with <MemoryNetwork of 1 node, 0 cuts>>"
    with pytest.raises(TypeError, match="machine's clock"):
        mesh_network.advance(1)
