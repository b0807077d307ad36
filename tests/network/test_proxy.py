"""The proxy of the tests is as slow as it is told to be, and loses nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.network.proxy import Proxy

DELAY = 0.2
BYTES = 20_000
#: Long for what is not delayed, on a busy machine.
LIMIT = 10.0


@pytest.fixture
def line() -> Iterator[tuple[Proxy, socket.socket, socket.socket]]:
    """A proxy and the two ends of a connection through it."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        proxy = stack.enter_context(Proxy(server.getsockname()))
        host, _, port = proxy.address.removeprefix("tcp://").rpartition(":")
        here = stack.enter_context(socket.create_connection((host, int(port)), timeout=LIMIT))
        there = stack.enter_context(server.accept()[0])
        there.settimeout(LIMIT)
        yield proxy, here, there


def carried(here: socket.socket, there: socket.socket, data: bytes) -> float:
    """Send it, check what arrives, and return how long that took."""
    begun, got = time.monotonic(), b""
    here.sendall(data)
    while len(got) < len(data):
        got += there.recv(1 << 16)
    assert got == data
    return time.monotonic() - begun


def test_what_is_delayed_arrives_later_both_ways_and_in_order(line: tuple[Proxy, socket.socket, socket.socket]) -> None:
    proxy, here, there = line
    assert proxy.slow(None, DELAY) == 1
    assert carried(here, there, b"one" * 1000) >= DELAY
    assert carried(there, here, b"two" * 1000) >= DELAY
    here.sendall(b"late ")
    proxy.slow(None, 0.0)
    here.sendall(b"soon")
    assert b"".join(there.recv(1) for _ in range(9)) == b"late soon"


def test_a_narrow_line_carries_so_many_bytes_a_second(line: tuple[Proxy, socket.socket, socket.socket]) -> None:
    proxy, here, there = line
    proxy.slow(10 * BYTES, 0.0)
    assert carried(here, there, bytes(BYTES)) >= 0.1
    proxy.slow(None, 0.0)
    assert carried(here, there, bytes(BYTES)) < LIMIT
