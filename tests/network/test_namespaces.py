"""Networks of namespaces do what the tests that use them rely on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.network.children import python
from tests.network.conftest import Namespaces, Start

pytestmark = pytest.mark.root

LISTEN = """
import socket, sys
with socket.create_server((sys.argv[1], 0)) as server:
    print(server.getsockname()[1])
    connection, (address, _) = server.accept()
    print(address, connection.recv(100).decode())
    connection.close()
"""
CALL = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as connection:
    connection.sendall(b"hello")
"""
HEAR = """
import socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
    heard.bind(("", 0))
    group = socket.inet_aton("239.77.0.1") + socket.inet_aton(sys.argv[1])
    heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    print(heard.getsockname()[1])
    print(heard.recvfrom(100)[0].decode())
"""
SHOUT = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as shouting:
    shouting.sendto(b"to all", ("239.77.0.1", int(sys.argv[1])))
"""


def test_two_nodes_talk_over_the_bridge(namespaces: Namespaces, start: Start) -> None:
    left, right = namespaces(2).nodes
    server = start(right.command(*python(LISTEN, right.address)))
    assert left.run(*python(CALL, right.address, server.line())).returncode == 0
    assert server.line() == f"{left.address} hello"


def test_multicast_crosses_the_bridge(namespaces: Namespaces, start: Start) -> None:
    left, right = namespaces(2).nodes
    listener = start(right.command(*python(HEAR, right.address)))
    assert left.run(*python(SHOUT, listener.line())).returncode == 0
    assert listener.line() == "to all"


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
def test_capture_holds_what_crossed(namespaces: Namespaces, start: Start, tmp_path: Path) -> None:
    network = namespaces(2)
    left, right = network.nodes
    capture = start(network.capture(tmp_path / "wire"))
    capture.until("listening on")
    server = start(right.command(*python(LISTEN, right.address)))
    left.run(*python(CALL, right.address, server.line()))
    server.wait()
    assert b"hello" in network.crossed(tmp_path / "wire")


def test_cut_node_is_not_reached_until_healed(namespaces: Namespaces, start: Start) -> None:
    network = namespaces(2)
    left, right = network.nodes
    server = start(right.command(*python(LISTEN, right.address)))
    port = server.line()
    network.cut(right)
    short = CALL.replace("timeout=10", "timeout=0.3")
    assert left.run(*python(short, right.address, port)).returncode != 0
    network.heal(right)
    assert left.run(*python(CALL, right.address, port)).returncode == 0
    assert server.line() == f"{left.address} hello"


def test_nodes_have_surroundings_of_their_own(namespaces: Namespaces) -> None:
    left, right = namespaces(2).nodes
    assert left.run("sh", "-c", 'echo left > "$MESHMQ_RUNTIME_DIR/word"').returncode == 0
    assert left.run("sh", "-c", 'cat "$MESHMQ_RUNTIME_DIR/word"').stdout == "left\n"
    assert right.run("sh", "-c", 'cat "$MESHMQ_RUNTIME_DIR/word"').returncode != 0
    assert left.env["MESHMQ_INTERFACES"] == left.address == "10.77.0.1"
    shown = left.run("ip", "-o", "address").stdout
    assert left.address in shown
    assert " lo " in shown


def test_closed_network_leaves_nothing(namespaces: Namespaces) -> None:
    network = namespaces(3)
    names = {node.name for node in network.nodes}
    network.close()
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True, timeout=10).stdout
    assert not names & set(left.split())
    assert not any(node.runtime_directory.exists() for node in network.nodes)
