"""Whether multicast works on this machine's loopback: not in every container."""

from __future__ import annotations

import contextlib
import secrets
import socket
from typing import Final

import pytest

_GROUP: Final = "224.0.0.251"
_LOOPBACK: Final = "127.0.0.1"


def _why_not() -> str:
    """Send one datagram to mDNS's group on the loopback, on a port of our own, and see whether it arrives."""
    word = secrets.token_bytes(8)
    try:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
            contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as mouth,
        ):
            ear.bind(("", 0))
            ear.settimeout(1)
            group = socket.inet_aton(_GROUP) + socket.inet_aton(_LOOPBACK)
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(_LOOPBACK))
            mouth.sendto(word, (_GROUP, ear.getsockname()[1]))
            return "" if ear.recv(100) == word else "something else came"
    except OSError as error:
        return str(error)


WHY_NOT: Final = _why_not()


#: The marks of a test that needs it.
MULTICAST: Final = (
    pytest.mark.multicast,
    pytest.mark.skipif(bool(WHY_NOT), reason=f"no multicast on the loopback: {WHY_NOT}"),
)
