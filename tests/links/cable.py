"""A proxy in front of one address, which a test can cut."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress

from tests.links.ends import port_of


class Cable:
    """A proxy in front of one address, which the test can cut."""

    def __init__(self, stack: ExitStack, address: str) -> None:
        self._stack = stack
        self._target = port_of(address)
        self._server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._server.setblocking(False)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"

    def carry(self) -> bool:
        with suppress(BlockingIOError):
            accepted = self._stack.enter_context(self._server.accept()[0])
            onward = self._stack.enter_context(socket.create_connection(("127.0.0.1", self._target)))
            for one, other in ((accepted, onward), (onward, accepted)):
                one.setblocking(False)
                self._pairs.append((one, other))
        for one, other in self._pairs:
            with suppress(OSError):
                data = one.recv(1 << 16)
                if data:
                    other.sendall(data)
                else:
                    other.close()
                    one.close()
        return True

    def cut(self) -> None:
        for one, _ in self._pairs:
            one.close()
        self._pairs.clear()
