"""What keeps multicast DNS from running is found before zeroconf is asked, and told with its repair."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Final

import pytest

from meshmq.discovery.multicast import trouble_with
from tests.architecture import ROOT
from tests.discovery.multicast_here import MULTICAST

_NAMESPACE: Final = ["unshare", "--user", "--map-root-user", "--net"]


def _namespaces_work() -> bool:
    return (
        shutil.which("unshare") is not None
        and not subprocess.run([*_NAMESPACE, "true"], capture_output=True).returncode
    )


needs_namespaces = pytest.mark.skipif(not _namespaces_work(), reason="no network namespaces here")


def _in_a_network_of_its_own(script: str) -> str:
    """Run ``script`` where nobody else holds the port, and nobody else is disturbed."""
    raise_loopback = "import socket, struct, fcntl\nwith socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
    raise_loopback += "    fcntl.ioctl(s, 0x8914, struct.pack('16sH14x', b'lo', 0x49))\n"  # SIOCSIFFLAGS: up, running
    ran = subprocess.run(
        [*_NAMESPACE, sys.executable, "-W", "error", "-c", raise_loopback + script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=30,
    )
    assert ran.stderr == ""
    return ran.stdout.strip()


@pytest.mark.parametrize("argument", [pytest.param("127.0.0.1", marks=MULTICAST)])
def test_nothing_is_wrong_where_it_works(argument: str) -> None:
    assert trouble_with(argument) == ""


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_an_address_of_another_machine_is_named(address: str) -> None:
    assert address in trouble_with(address)
    assert "MESHMQ_INTERFACES" in trouble_with(address) or "no sockets" in trouble_with(address)


_TAKEN: Final = """
holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
holder.bind(("", 5353))
"""

_TROUBLE: Final = """
from meshmq.discovery.multicast import trouble_with
print(trouble_with("127.0.0.1"))
holder.close()
"""

_DISCOVERY: Final = """
import logging, threading
from meshmq.discovery.base import Announcement
from meshmq.discovery.zeroconf import ZeroconfDiscovery

told = threading.Event()
class Ear(logging.Handler):
    def emit(self, record):
        told.set()
logging.getLogger("meshmq.discovery").addHandler(Ear())
node = ZeroconfDiscovery(["127.0.0.1"])
node.start(Announcement(bytes(16), "kitchen", "home", b"", 5555, ("127.0.0.1",)), print)
assert told.wait(20)
print(node.status)
node.close()
holder.close()
"""


@needs_namespaces
def test_a_port_that_is_not_shared_is_named() -> None:
    said = _in_a_network_of_its_own(_TAKEN + _TROUBLE)
    assert said.startswith("UDP port 5353 cannot be shared (Address already in use): stop the program that holds it")


@needs_namespaces
def test_a_node_lives_where_the_port_is_not_shared() -> None:
    said = _in_a_network_of_its_own(_TAKEN + _DISCOVERY)
    assert said.startswith("off, UDP port 5353 cannot be shared")
    assert said.endswith("peers=['host:port'] works without it")
