"""Finds the nodes of the same user on the same machine, through a private directory of sockets.

In the user's runtime directory every mesh has a directory, and in it every node has its three
sockets, ``<id>.c``, ``<id>.t`` and ``<id>.d``, and an entry that is locked for as long as the
process lives. The kernel drops the lock however the process ends, so an entry without its lock is
dead, and whoever sees it clears it away. Each node announces first and looks after that: of two,
one sees the other.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from meshmq.discovery.base import Announcement, Found
from meshmq.discovery.directory import make_private, runtime_directory
from meshmq.discovery.entries import ANNOUNCED, HAS_FILE_LOCKS, SOCKETS, UNANNOUNCED, give_back, living, take
from meshmq.errors import LinkError

__all__ = ["SameHost", "runtime_directory"]

_ATTEMPTS: Final = 100
_SWEPT_AT_MOST: Final = 100
_MESH: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)
_SUFFIXES: Final = dict(zip(("control", "topics", "direct"), SOCKETS, strict=True))
_NO_FILE_LOCKS: Final = "off, this system has no file locks: give peers=['127.0.0.1:5555'] instead"


class SameHost:
    """Announces a node to its neighbours on this machine and finds them, in milliseconds.

    The engine binds what ``endpoint`` returns *before* ``start``, so that whoever finds the entry
    can dial at once.
    """

    name = "same host"

    def __init__(self, mesh: str, node_id: bytes) -> None:
        self._mesh = hashlib.sha256(mesh.encode()).hexdigest()[:8]
        self._node_id = node_id
        self._directory: Path | None = None
        self._stem = ""
        self._entry: Path | None = None
        self._descriptor: int | None = None
        self._found: Callable[[Found], None] | None = None
        self._living = 0
        self._process = os.getpid()
        self._lock = threading.Lock()
        self.status = "not started"

    def __repr__(self) -> str:
        return f"<SameHost {self._stem or self._node_id.hex()[:16]}: {self.status}>"

    def endpoint(self, link: Literal["control", "topics", "direct"]) -> str:
        """Return the ``ipc://`` address to bind this node's ``link`` to.

        The first call takes the node's entry in the directory and holds its lock until ``close``.

        Raises:
            LinkError: there is no directory that is safe to use, or this system has no file locks.
        """
        directory = self._reserve()
        return f"ipc://{directory / (self._stem + _SUFFIXES[link])}"

    def start(self, announcement: Announcement, found: Callable[[Found], None]) -> None:
        """Announce this node, then report every living neighbour before returning.

        Without file locks it does nothing, and ``status`` says so.

        Raises:
            LinkError: there is no directory that is safe to use.
        """
        if not HAS_FILE_LOCKS:
            self.status = _NO_FILE_LOCKS
            return
        directory = self._reserve()
        with self._lock:
            if self._entry is None:
                return
            announced = directory / f"{self._stem}{ANNOUNCED}"
            try:
                self._entry.rename(announced)
            except OSError as error:
                raise LinkError(f"{self._entry} was taken away ({error.strerror}): try again") from error
            self._entry = announced
            self._found = found
        self._living = self._scan(directory)
        self._sweep(directory)

    def refresh(self) -> None:
        """Look again, and keep those who tidy up old files away from ours."""
        if self._process != os.getpid():
            return
        with self._lock:
            if self._found is None or self._descriptor is None or self._entry is None or self._directory is None:
                return
            directory = self._directory
            with contextlib.suppress(OSError):
                os.utime(self._descriptor)
            lost = not self._entry.exists()
        self._scan(directory)
        if lost:
            self.status = f"somebody deleted this node's files in {directory}: restart it, or newcomers do not find it"

    def living(self) -> int:
        """Return how many living neighbours the first look found."""
        return self._living

    def close(self) -> None:
        """Take this node's files out of the directory. In a forked child, leave the parent's alone."""
        if self._process != os.getpid():
            return
        with self._lock:
            descriptor, entry = self._descriptor, self._entry
            self._found = self._entry = self._descriptor = None
            if entry is None or descriptor is None or self._directory is None:
                return
            self.status = "closed"
            give_back(descriptor, entry)
            with contextlib.suppress(OSError):
                self._directory.rmdir()

    def _reserve(self) -> Path:
        with self._lock:
            if self._directory is not None:
                return self._directory
            if not HAS_FILE_LOCKS:
                raise LinkError(f"{self.name}: {_NO_FILE_LOCKS}")
            directory = runtime_directory() / self._mesh
            for attempt in range(_ATTEMPTS):
                stem = self._node_id.hex()[:16] + (f"-{attempt}" if attempt else "")
                make_private(directory)
                entry = directory / f"{stem}{UNANNOUNCED}"
                descriptor = take(entry, self._node_id)
                if descriptor is not None:
                    self._directory, self._stem = directory, stem
                    self._descriptor, self._entry = descriptor, entry
                    return directory
            raise LinkError(
                f"no free entry in {directory} after {_ATTEMPTS} attempts: is something deleting its files?"
            )

    def _scan(self, directory: Path) -> int:
        count = 0
        for stem, node_id in living(directory):
            if stem == self._stem:
                continue
            count += 1
            if (found := self._found) is not None:
                found(Found(self.name, (f"ipc://{directory / stem}{_SUFFIXES['control']}",), node_id))
        self.status = f"{count} {'neighbour' if count == 1 else 'neighbours'} in {directory}"
        return count

    def _sweep(self, directory: Path) -> None:
        """Clear some of what the dead left in other meshes, which nobody may ever look at again."""
        with contextlib.suppress(OSError):
            others = [path for path in directory.parent.iterdir() if _MESH.fullmatch(path.name) and path != directory]
            for other in itertools.islice(others, _SWEPT_AT_MOST):
                for _ in living(other):
                    break  # a living node there does the rest
                with contextlib.suppress(OSError):
                    other.rmdir()
