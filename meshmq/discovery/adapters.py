"""Which addresses this machine has, and on which interfaces; the only importer of ifaddr."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple


class Adapter(NamedTuple):
    """One address of one interface of this machine."""

    name: str
    address: str
    number: int


def adapters() -> list[Adapter]:
    """Return every address of this machine; link-local IPv6 addresses carry their interface."""
    import ifaddr

    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0].partition("%")[0]
            if ":" in text and ipaddress.IPv6Address(text).is_link_local:
                text = f"{text}%{adapter.nice_name}"
            found.append(Adapter(adapter.nice_name, text, adapter.index or 0))
    return found
