"""What a node shows of itself in multicast DNS, and what the records of others say.

The instance is ``<name>-<8 hex of the id>``, so it is unique and needs no probing (FACT 25). TXT shows
id, mesh and the tag of the secret, and nothing else. Anybody on the network can announce anything:
what is read here is checked before it is believed to be a rumour.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from meshmq.discovery.base import Announcement
from meshmq.names import NODE_ID_BYTES, short

_NAME_BYTES: Final = 40
_TAG_BYTES: Final = 4
_PORTS: Final = range(1, 65536)
_ADDRESSES_AT_MOST: Final = 16
_IPV4: Final = 4


@dataclass(frozen=True, slots=True)
class Sighting:
    """One node as its records show it."""

    name: str
    node_id: bytes
    mesh: str
    tag: bytes
    addresses: tuple[str, ...]


def instance_of(announcement: Announcement) -> str:
    """Return the label of a node's service: at most 49 bytes, without dots, which would part it."""
    name = announcement.name.replace(".", "-").encode()[:_NAME_BYTES].decode(errors="ignore")
    return f"{name}-{short(announcement.node_id)}"


def properties_of(announcement: Announcement) -> dict[str, str]:
    """Return what TXT shows of a node."""
    shown = {"id": announcement.node_id.hex(), "mesh": announcement.mesh}
    if announcement.tag:
        shown["tag"] = announcement.tag.hex()
    return shown


def read_records(
    instance: str, properties: Mapping[bytes, bytes | None], hosts: Sequence[str], port: int
) -> Sighting | None:
    """Return the node that the records show, or ``None`` where they are not those of a node."""
    try:
        node_id = bytes.fromhex((properties.get(b"id") or b"").decode())
        tag = bytes.fromhex((properties.get(b"tag") or b"").decode())
        mesh = (properties.get(b"mesh") or b"").decode()
    except ValueError:
        return None
    if len(node_id) != NODE_ID_BYTES or len(tag) not in (0, _TAG_BYTES) or not mesh or port not in _PORTS:
        return None
    written = [host for text in hosts[:_ADDRESSES_AT_MOST] if (host := _written(text))]
    if not written:
        return None
    name = "".join(character if character.isprintable() else "?" for character in instance.rpartition("-")[0])
    return Sighting(name, node_id, mesh, tag, tuple(f"tcp://{host}:{port}" for host in written))


def _written(text: str) -> str:
    """Return an IP address as ZeroMQ wants it, or ``""`` where nobody can be behind it."""
    bare, _, scope = text.partition("%")
    try:
        address = ipaddress.ip_address(bare)
        if address.is_unspecified or address.is_multicast:
            return ""
        if address.version == _IPV4:
            return bare
        if scope.isdecimal():
            scope = socket.if_indextoname(int(scope))
    except (ValueError, OSError, OverflowError):
        return ""
    return f"[{bare}%{scope}]" if scope else f"[{bare}]"
