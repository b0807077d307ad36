"""Binds a node's two sockets where others can find them, or says in one sentence why not."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import zmq

from meshmq.errors import LinkError

_TRIES: Final = 32


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
    for attempt in range(_TRIES):
        bound: list[str] = []
        try:
            for address in addresses:
                known = port or (_port(bound[0]) if bound else 0)
                bound.append(_bind(socket, address, known))
        except zmq.ZMQError as error:
            for endpoint in bound:
                with suppress(zmq.ZMQError):
                    socket.unbind(endpoint)
            if port or error.errno != errno.EADDRINUSE or attempt == _TRIES - 1:
                raise LinkError(_sentence(error, addresses[len(bound)], port)) from error
        else:
            return bound
    return []  # not reached: the last attempt returns or raises


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
