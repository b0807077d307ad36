"""Bare sockets: bound where a place says, and the versions of what is bare."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

import zmq

from meshmq.bench.work import LIMIT

#: How often a receiver looks whether it is to end.
LOOK_MS: Final = 50
LIMIT_MS: Final = int(LIMIT * 1000)


def bind(socket: Any, address: str) -> str:
    """Bind to an address, or to any port of one that ends in a star; return where it is bound."""
    socket.bind(address)
    bound: bytes = socket.getsockopt(zmq.LAST_ENDPOINT)
    return bound.rstrip(b"\0").decode()


def versions() -> dict[str, str]:
    """Return what both sides stand on."""
    return {"libzmq": zmq.zmq_version(), **{name: version(name) for name in ("pyzmq", "msgpack")}}
