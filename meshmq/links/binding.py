"""Binds a node's sockets where others can find them, or says in one sentence why not."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import zmq

from meshmq.errors import LinkError

_TRIES: Final = 32
#: libzmq closes its listeners a moment after the socket; who opens the same port again waits for it.
_LEAVING: Final = 1.0
_left: dict[int, float] = {}


def let_go(endpoints: Sequence[str]) -> None:
    """Remember that these are being closed by this process."""
    now = time.monotonic()
    for port in [port for port, when in _left.items() if now - when > _LEAVING]:
        del _left[port]
    _left.update((_port(endpoint), now) for endpoint in endpoints if endpoint.startswith("tcp://"))


def bind_ipc(socket: zmq.SyncSocket, address: str) -> None:
    """Bind to a unix socket; a stale file there is replaced.

    Raises:
        LinkError: it cannot be.
    """
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise LinkError(f"{address} cannot be opened: {error.strerror}; is its directory there, and yours?") from error


def bind_tcp(socket: zmq.SyncSocket, addresses: Sequence[str], port: int) -> list[str]:
    """Bind to the same port on all of ``addresses``, a free one for port 0, and return where it is bound.

    Raises:
        LinkError: the port is taken, or an address is not ours.
    """
    attempt = 0
    while True:
        attempt += 1
        bound: list[str] = []
        try:
            for address in addresses:
                known = port or (_port(bound[0]) if bound else 0)
                bound.append(_bind(socket, address, known))
        except zmq.ZMQError as error:
            for endpoint in bound:
                with suppress(zmq.ZMQError):
                    socket.unbind(endpoint)
            if error.errno == errno.EADDRINUSE and _is_leaving(port):
                continue
            if port or error.errno != errno.EADDRINUSE or attempt == _TRIES:
                raise LinkError(_sentence(error, addresses[len(bound)], port)) from error
        else:
            return bound


def _is_leaving(port: int) -> bool:
    """Wait a moment for a port that we have just closed; ``False`` where it is not ours or takes too long."""
    left = _left.get(port)
    if left is None or time.monotonic() - left > _LEAVING:
        return False
    threading.Event().wait(0.005)
    return True


def _bind(socket: zmq.SyncSocket, address: str, port: int) -> str:
    host = f"[{address}]" if ":" in address else address
    socket.setsockopt(zmq.IPV6, int(":" in address))
    socket.bind(f"tcp://{host}:{port or '*'}")
    if not port:
        endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(endpoint, bytes)
        port = _port(endpoint.rstrip(b"\0").decode())
    return f"tcp://{host}:{port}"


def _port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def _sentence(error: zmq.ZMQError, address: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken on {address}: end what uses it, or give another port= (it needs {port} itself)"
    if error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV):
        return f"{address} is not an address of this machine: give one in MESHMQ_INTERFACES that is"
    if error.errno == errno.EACCES:
        return f"port {port} on {address} needs more rights: give a port= from 1024 on"
    return f"port {port} on {address} cannot be opened: {error.strerror}"
