"""What a way of finding peers is: it takes an announcement and passes on rumours.

A rumour is never proof of life: presence comes from connections alone. So a discovery may report
the dead, the same peer twice, and peers that another discovery has reported; it costs a dial.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a node shows to the outside."""

    node_id: bytes
    name: str
    mesh: str
    tag: bytes
    """Four bytes that tell secrets apart without showing them; ``b""`` without a secret."""
    port: int | None
    """The control port bound beyond ipc; ``None`` when there is none."""
    interfaces: tuple[str, ...]
    """The IP addresses bound; empty when bound to ipc only."""


@dataclass(frozen=True, slots=True)
class Found:
    """A rumour: dial it and see."""

    source: str
    """The name of the discovery: ``same host``, ``zeroconf`` or ``addresses``."""
    addresses: tuple[str, ...]
    """Control addresses of *one* peer, as ZeroMQ writes them; a host name is left for the dialler to resolve."""
    node_id: bytes | None
    """The peer's id, where the source knows it."""


class Discovery(Protocol):
    """One way of finding peers. ``refresh`` and ``close`` may be called at any time, from any thread."""

    @property
    def name(self) -> str:
        """The word that ``Found.source`` carries."""

    @property
    def status(self) -> str:
        """One phrase for people: what it does, or why it does nothing and what repairs that."""

    def start(self, announcement: Announcement, found: Callable[[Found], None]) -> None:
        """Announce this node, then report others; returns at once.

        ``found`` may be called from any thread, before this returns, and again for the same peer.

        Raises:
            LinkError: this machine refuses what is needed, and it is not safe to go on without.
        """

    def refresh(self) -> None:
        """Announce and look again: after a link came up, and now and then. Never waits or raises."""

    def close(self) -> None:
        """Withdraw the announcement; waits one second at most and never raises. A second call does nothing."""
