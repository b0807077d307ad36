"""Whether both ends of a connection are on this host: from elsewhere nobody is to name memory that lies here.

Who could, would have one process read, and give back, what another has lent to somebody else.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address

from meshmq.links.accepted import as_socket, is_still


def is_dialled_here(endpoint: str, local: str) -> bool:
    """Say it of a connection to ``endpoint`` that goes out by the address ``local``."""
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    return endpoint.startswith("ipc://") or _are_one(host, local)


def is_accepted_here(fileno: int, known: int) -> bool:
    """Say it of an accepted connection by its descriptor, if that still has the inode by which it is ``known``."""
    if not is_still(fileno, known):
        return False
    if is_neighbour(fileno):
        return True
    with suppress(OSError), as_socket(fileno) as accepted:
        return _are_one(accepted.getpeername()[0], accepted.getsockname()[0])
    return False


def is_neighbour(fileno: int) -> bool:
    """Whether a connection came in by ipc; of one that has gone it is not known."""
    if fileno < 0:
        return False
    with suppress(OSError), as_socket(fileno) as accepted:
        return accepted.family == getattr(socket, "AF_UNIX", -1)
    return False


def _are_one(one: str, other: str) -> bool:
    with suppress(ValueError):
        first, second = ip_address(one), ip_address(other)
        return first == second or (first.is_loopback and second.is_loopback)
    return False
