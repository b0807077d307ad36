"""Small networks inside this machine: namespaces on one bridge, which is in a namespace of its own.

Nothing of it touches the machine's own interfaces::

    hub:  bridge ── p0 ── p1 ── ...
                    │     │
    node 0:  eth0 ──┘     │   10.77.0.1/16
    node 1:  eth0 ────────┘   10.77.0.2/16

The file system is one, and unix sockets of one namespace can be dialled from another. So the runtime
directory has the same path on all nodes, and on each of them something else is mounted there.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIMIT: Final = 20.0
_SEND: Final = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as line:
    line.sendto(bytes.fromhex(sys.argv[1]), (sys.argv[2], 9))
"""


@dataclass(frozen=True, slots=True)
class Namespace:
    """One machine of the network, as far as its network is concerned."""

    name: str
    address: str
    runtime_directory: Path
    #: What is mounted there for whoever runs in here.
    directory: Path
    port: str

    @property
    def env(self) -> dict[str, str]:
        """What a program in here needs to take itself for a machine of its own."""
        return {"MESHMQ_INTERFACES": self.address, "MESHMQ_RUNTIME_DIR": str(self.runtime_directory)}

    def command(self, *command: str) -> list[str]:
        """Return the command that runs ``command`` in here, under the same pid: for ``start``."""
        # The program's mounts are its own: ip has seen to that.
        mount = f'mount --bind {self.directory} {self.runtime_directory} && exec "$@"'
        return ["ip", "netns", "exec", self.name, "sh", "-c", mount, "sh", *command]

    def run(
        self, *command: str, env: Mapping[str, str] | None = None, timeout: float = LIMIT
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` in here to its end; its status is the caller's to judge."""
        return subprocess.run(
            self.command(*command),
            env={**os.environ, **self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


class Network:
    """``count`` namespaces that see each other, and nothing else, with working multicast."""

    def __init__(self, count: int = 2) -> None:
        self._token = f"mq{os.getpid():x}{secrets.token_hex(3)}"
        self._hub = f"{self._token}-hub"
        self._names: list[str] = []
        self._directory = Path(tempfile.mkdtemp(prefix="mqn-", dir="/tmp"))
        self._mounted = self._directory / "here"
        self._mounted.mkdir(mode=0o700)
        try:
            self._add(self._hub)
            _ip("-n", self._hub, "link", "add", "bridge", "type", "bridge", "mcast_snooping", "0")
            _ip("-n", self._hub, "link", "set", "bridge", "up")
            self.nodes = tuple(self._join(number) for number in range(count))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self, node: Namespace) -> None:
        """Pull the node's cable; its routes stay."""
        _ip("-n", self._hub, "link", "set", node.port, "down")

    def heal(self, node: Namespace) -> None:
        """Plug the node's cable in again."""
        _ip("-n", self._hub, "link", "set", node.port, "up")

    def exchange(self, node: Namespace, interface: str, address: str) -> None:
        """Take the node's interface away and give it another, with another address."""
        _ip("-n", self._hub, "link", "del", node.port)
        self._plug(node, f"{node.port}-2", interface, address)

    def change(self, machine: str, *words: str) -> None:
        """Have ``ip`` change something on a machine, by the name of its namespace."""
        _ip("-n", machine, *words)

    def capture(self, file: Path) -> list[str]:
        """Return the command that writes all that crosses the bridge to ``file``: for ``start``.

        It prints a line with "listening on" when it has begun; ``crossed`` reads what it has written.
        """
        # 16 MiB, and not its immediate mode: that let packets go where tcpdump had no processor for a second (1 of 24).
        tcpdump = f"exec tcpdump -i bridge -B 16384 -U -s 0 -Z root -w {shlex.quote(str(file))} 2>&1"
        return ["ip", "netns", "exec", self._hub, "sh", "-c", tcpdump]

    def crossed(self, file: Path) -> bytes:
        """Return what a running ``capture`` holds, with all that has crossed until now.

        Raises:
            AssertionError: it does not come.
        """
        # At SIGINT tcpdump forgets what it has not taken from the kernel: so it runs on until it has shown our mark.
        mark, deadline = secrets.token_bytes(16), time.monotonic() + LIMIT
        left, right, *_ = self.nodes
        while mark not in (written := file.read_bytes()):
            assert time.monotonic() < deadline, "the capture does not show what crosses"
            left.run(sys.executable, "-c", _SEND, mark.hex(), right.address)  # again: a datagram may be lost
        return written

    def close(self) -> None:
        """Delete the namespaces, their links with them, and their runtime directories."""
        while self._names:
            with contextlib.suppress(subprocess.SubprocessError):
                _ip("netns", "del", self._names.pop())
        shutil.rmtree(self._directory, ignore_errors=True)

    def _add(self, name: str) -> None:
        _ip("netns", "add", name)
        self._names.append(name)
        _ip("-n", name, "link", "set", "lo", "up")

    def _join(self, number: int) -> Namespace:
        name, port = f"{self._token}-{number}", f"p{number}"
        directory = self._directory / str(number)
        directory.mkdir(mode=0o700)
        node = Namespace(name, f"10.77.{number // 250}.{number % 250 + 1}", self._mounted, directory, port)
        self._add(name)
        self._plug(node, port, "eth0", node.address)
        return node

    def _plug(self, node: Namespace, port: str, interface: str, address: str) -> None:
        _ip("-n", self._hub, "link", "add", port, "type", "veth", "peer", "name", interface, "netns", node.name)
        _ip("-n", self._hub, "link", "set", port, "master", "bridge", "up")
        _ip("-n", node.name, "address", "add", f"{address}/16", "dev", interface)
        _ip("-n", node.name, "link", "set", interface, "up")
        # There is no default route in here, and without one multicast has nowhere to go.
        _ip("-n", node.name, "route", "add", "224.0.0.0/4", "dev", interface)


@functools.cache
def reason_against() -> str | None:
    """Return why networks cannot be made here, or ``None`` when they can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need ip (the package iproute2)"
    try:
        Network(1).close()
    except subprocess.SubprocessError as error:
        words = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        return f"network namespaces cannot be made here: {str(words).strip()}"
    return None


def _ip(*arguments: str) -> None:
    subprocess.run(
        ["ip", *arguments], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT
    )
