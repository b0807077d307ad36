"""Whether multicast DNS can run here, asked of the kernel before zeroconf is.

Zeroconf fails for all addresses where one is bad, and leaves its sockets open when it fails.
"""

from __future__ import annotations

import socket
from typing import Final

_PORT: Final = 5353
_GROUP: Final = "224.0.0.251"


def trouble_with(address: str) -> str:
    """Return what keeps multicast DNS from running on ``address``, with the repair, or ``""``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            return _port_trouble(probe) or _address_trouble(probe, family, address)
    except OSError as error:
        return f"no sockets for {address} ({error.strerror})"


def _port_trouble(probe: socket.socket) -> str:
    try:
        probe.bind(("", _PORT))
    except OSError as error:
        return (
            f"UDP port {_PORT} cannot be shared ({error.strerror}): stop the program that holds it, "
            "or let avahi share it (disallow-other-stacks=no)"
        )
    return ""


def _address_trouble(probe: socket.socket, family: socket.AddressFamily, address: str) -> str:
    try:
        if family == socket.AF_INET:
            member = socket.inet_aton(_GROUP) + socket.inet_aton(address)
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        else:  # the group is joined by interface, which zeroconf looks up; the address must be here for it
            with socket.socket(family, socket.SOCK_DGRAM) as another:
                another.bind(socket.getaddrinfo(address, 0, family, flags=socket.AI_NUMERICHOST)[0][4])
    except OSError as error:
        return f"no multicast on {address} ({error.strerror}): set MESHMQ_INTERFACES to an address of this machine"
    return ""
