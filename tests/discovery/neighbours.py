"""Neighbours for the tests of discovery: an ear for rumours, and nodes in processes of their own."""

from __future__ import annotations

import queue
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from meshmq.discovery.base import Announcement, Found
from meshmq.discovery.same_host import SameHost
from meshmq.discovery.zeroconf import ZeroconfDiscovery
from tests.architecture import ROOT

LIMIT: Final = 20.0


def announcement(name: str = "kitchen", mesh: str = "home", tag: bytes = b"", port: int | None = 5555) -> Announcement:
    """Return what a new incarnation of a node would announce on the loopback."""
    return Announcement(secrets.token_bytes(16), name, mesh, tag, port, ("127.0.0.1",) if port else ())


class Ear:
    """Takes rumours from any thread and lets a test wait for the one it expects."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rumours: list[Found] = []

    def __call__(self, rumour: Found) -> None:
        with self._changed:
            self._rumours.append(rumour)
            self._changed.notify_all()

    @property
    def rumours(self) -> list[Found]:
        with self._changed:
            return list(self._rumours)

    @property
    def ids(self) -> set[bytes | None]:
        return {rumour.node_id for rumour in self.rumours}

    def wait_for(self, wanted: Callable[[list[Found]], bool], limit: float = LIMIT) -> bool:
        """Wait until what was heard is as ``wanted``; ``False`` when the limit is over."""
        with self._changed:
            return self._changed.wait_for(lambda: wanted(self._rumours), limit)

    def hears(self, node_id: bytes, times: int = 1) -> bool:
        """Wait until a node was heard of so often."""
        return self.wait_for(lambda rumours: [rumour.node_id for rumour in rumours].count(node_id) >= times)


class HostNode:
    """A node of this process on this host: what it announces, the discovery, and what it heard."""

    def __init__(self, mesh: str, name: str = "kitchen") -> None:
        self.announcement: Announcement = announcement(name=name, mesh=mesh)
        self.id = self.announcement.node_id
        self.discovery = SameHost(mesh, self.id)
        self.ear = Ear()

    def start(self) -> HostNode:
        self.discovery.endpoint("control")
        self.discovery.start(self.announcement, self.ear)
        return self


class LanNode:
    """A node of this process on the loopback's network: what it announces, the discovery, and what it heard."""

    def __init__(
        self,
        mesh: str,
        tag: bytes = b"",
        interfaces: tuple[str, ...] = ("127.0.0.1",),
        follow: Callable[[], tuple[str, ...]] | None = None,
        **shown: Any,
    ) -> None:
        self.announcement: Announcement = announcement(mesh=mesh, tag=tag, **shown)
        self.id = self.announcement.node_id
        self.ear = Ear()
        self.strangers: queue.Queue[tuple[str, str, bytes]] = queue.Queue()
        self.discovery = ZeroconfDiscovery(interfaces, lambda *stranger: self.strangers.put(stranger), follow)

    def start(self) -> LanNode:
        self.discovery.start(self.announcement, self.ear)
        return self


def responders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "meshmq-zeroconf"]


_SAME_HOST: Final = """
import socket, sys
from meshmq.discovery.base import Announcement
from meshmq.discovery.same_host import SameHost

mesh, node_id, stage = sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3]
node = SameHost(mesh, node_id)
sockets = []
for link in ("control", "topics", "direct"):
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(node.endpoint(link).removeprefix("ipc://"))
    bound.listen()
    sockets.append(bound)
if stage == "announced":
    found = []
    node.start(Announcement(node_id, "child", mesh, b"", None, ()), found.append)
    print(*(rumour.node_id.hex() for rumour in found))
print("ready", flush=True)
sys.stdin.read()
node.close()
"""

_ZEROCONF: Final = """
import sys
from meshmq.discovery.base import Announcement
from meshmq.discovery.zeroconf import ZeroconfDiscovery

mesh, node_id = sys.argv[1], bytes.fromhex(sys.argv[2])
node = ZeroconfDiscovery(["127.0.0.1"])
node.start(
    Announcement(node_id, "child", mesh, b"", 4242, ("127.0.0.1",)),
    lambda rumour: print(rumour.node_id.hex(), *rumour.addresses, flush=True),
)
print("ready", flush=True)
sys.stdin.read()
node.close()
"""


@contextmanager
def _child(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a node in a process of its own; it ends when its stdin closes."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as child:
        try:
            yield child
        finally:
            if child.stdin is not None and child.returncode is None:
                child.stdin.close()
            try:
                child.wait(LIMIT)
            finally:
                child.kill()


def read_until(child: subprocess.Popen[str], wanted: str) -> list[str]:
    """Return the lines that a child wrote up to and without the one that starts as ``wanted``."""
    assert child.stdout is not None
    lines: list[str] = []
    for line in child.stdout:
        if line.startswith(wanted):
            return lines
        lines.append(line.strip())
    raise AssertionError(f"the child ended after {lines}")


@contextmanager
def same_host_child(mesh: str, node_id: bytes, stage: str = "announced") -> Iterator[subprocess.Popen[str]]:
    """Run a node that is announced, or (``stage="bound"``) has only bound its sockets."""
    with _child(_SAME_HOST, mesh, node_id.hex(), stage) as child:
        read_until(child, "ready")
        yield child


@contextmanager
def zeroconf_child(mesh: str, node_id: bytes) -> Iterator[subprocess.Popen[str]]:
    """Run a node that announces itself on the loopback and prints whom it finds."""
    with _child(_ZEROCONF, mesh, node_id.hex()) as child:
        yield child


def files(directory: Path) -> list[str]:
    """Return the names of all files below a directory, sorted."""
    return sorted(path.name for path in directory.rglob("*") if not path.is_dir())
