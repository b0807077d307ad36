"""How nodes of an in-memory network hear of each other: a list they all share."""

from __future__ import annotations

import threading
from collections.abc import Callable

from meshmq.discovery.base import Announcement, Found


class MemoryDirectory:
    """Who has announced itself, and who wants to hear of it. Safe from any thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.entries: list[MemoryDiscovery] = []


class MemoryDiscovery:
    """One node's way of finding the others of its mesh in a ``MemoryDirectory``; see ``Discovery``."""

    name = "memory"

    def __init__(self, directory: MemoryDirectory, addresses: tuple[str, ...]) -> None:
        self._directory = directory
        self._addresses = addresses
        self._announcement: Announcement | None = None
        self._found: Callable[[Found], None] = _ignore

    @property
    def status(self) -> str:
        """One phrase for people."""
        return "nodes of the same in-memory network" if self._announcement is not None else "not started"

    def start(self, announcement: Announcement, found: Callable[[Found], None]) -> None:
        """Announce first, then report everybody who is there, to both sides."""
        with self._directory.lock:
            self._announcement = announcement
            self._found = found
            others = self._others()
            self._directory.entries.append(self)
        # Outside the lock: what is told may announce, refresh or close.
        for other in others:
            other._found(self._entry())
            found(other._entry())

    def refresh(self) -> None:
        """Report everybody who is there, again."""
        with self._directory.lock:
            others = self._others()
        for other in others:
            self._found(other._entry())

    def close(self) -> None:
        """Withdraw the announcement. A second call does nothing."""
        with self._directory.lock:
            if self in self._directory.entries:
                self._directory.entries.remove(self)
            self._found = _ignore

    def _others(self) -> list[MemoryDiscovery]:
        mesh = self._announcement.mesh if self._announcement is not None else None
        return [
            entry
            for entry in self._directory.entries
            if entry is not self and entry._announcement is not None and entry._announcement.mesh == mesh
        ]

    def _entry(self) -> Found:
        node_id = self._announcement.node_id if self._announcement is not None else None
        return Found(self.name, self._addresses, node_id)


def _ignore(found: Found) -> None:
    """Hear nothing: before the start and after the end."""
