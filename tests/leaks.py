"""Sees what a test leaves behind: threads, children, sockets.

Endings are asynchronous (libzmq closes its sockets in a thread of its own), so what is still there
is given a limit to go, and only then told.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
from pathlib import Path
from typing import Final

#: Seconds that what is ending may take to end.
LIMIT: Final = 5.0

#: Threads that serve the whole process and stay: their names begin so, and they are daemons.
PROCESS_WIDE: Final = "meshmq-"

#: Sockets that such a thread may bring with it, once (a wake-up pair, a handler's ends).
SOCKETS_PER_PROCESS_WIDE_THREAD: Final = 4

#: Processes that multiprocessing keeps for the whole run.
_KEPT_CHILDREN: Final = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")

_PROC: Final = Path("/proc/self")


class Watch:
    """Remembers what is there, and says later what has come since and not gone."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._children = children()
        self._sockets = sockets()

    def left(self, limit: float = LIMIT) -> list[str]:
        """Return a line for each thing left behind; wait at most ``limit`` seconds for it to go.

        Children that are left are killed, so that one test's leak is not the next one's failure.
        """
        if not self._found():
            return []
        gc.collect()  # a socket in a cycle of references is not a leak
        deadline = time.monotonic() + limit
        never = threading.Event()
        while (found := self._found()) and time.monotonic() < deadline:
            never.wait(0.01)
        for pid in children() - self._children:
            _end(pid)
        return found

    def _found(self) -> list[str]:
        new_threads = set(threading.enumerate()) - self._threads
        process_wide = {thread for thread in new_threads if thread.daemon and thread.name.startswith(PROCESS_WIDE)}
        found = [f"thread {thread!r}" for thread in new_threads - process_wide]
        found += [f"child process {pid}: {_command(pid)}" for pid in children() - self._children]
        new_sockets = sockets() - self._sockets
        # A socket closed and another opened in its place is no leak: count, and name the new ones.
        surplus = len(sockets()) - len(self._sockets) - SOCKETS_PER_PROCESS_WIDE_THREAD * len(process_wide)
        if surplus > 0:
            found.append(f"{surplus} sockets, of these: {', '.join(sorted(map(_address, new_sockets)))}")
        return found


def children() -> set[int]:
    """Return the pids of this process's children, ended ones that nobody has waited for among them."""
    found: set[int] = set()
    for task in _entries(_PROC / "task"):
        with contextlib.suppress(OSError):
            found.update(map(int, (_PROC / "task" / task / "children").read_bytes().split()))
    return {pid for pid in found if not any(kept in _command_line(pid) for kept in _KEPT_CHILDREN)}


def sockets() -> set[str]:
    """Return this process's sockets as ``socket:[inode]``; nothing where there is no /proc."""
    found: set[str] = set()
    for entry in _entries(_PROC / "fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{entry}")  # noqa: PTH115  a Path would hide "socket:[...]"
            if target.startswith("socket:"):
                found.add(target)
    return found


def _entries(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208  names are all that is needed, a hundred times a second
    except OSError:
        return []


def _end(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _command(pid: int) -> str:
    return _command_line(pid).replace(b"\0", b" ").decode(errors="replace")[:200] or "ended, not waited for"


def _address(socket: str) -> str:
    """Return what the kernel knows of a socket, so that a leak says whose it is."""
    inode = socket.removeprefix("socket:[").removesuffix("]")
    for table in ("unix", "tcp", "tcp6", "udp", "udp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/self/net/{table}").read_text().splitlines():
                words = line.split()
                if inode in words:
                    return f"{table} {words[-1]}" if table == "unix" else f"{table} {words[1]} -> {words[2]}"
    return socket
