"""A TCP proxy in a test's hand: it carries, at its pace, cuts, refuses, and goes silent."""

from __future__ import annotations

import contextlib
import queue
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

_PIECE: Final = 1 << 16
#: Closing sends a reset at once: what was on its way is lost, as when a router forgets a connection.
_RESET: Final = struct.pack("ii", 1, 0)

Pair = tuple[socket.socket, socket.socket]


class Proxy:
    """Listens on a port of its own and carries every connection to ``target``, until told otherwise.

    With a ``rate`` it carries at most so many bytes a second, of all connections together.

    Its thread alone touches what it carries: a descriptor closed by another thread may already be
    somebody else's when it is read.
    """

    def __init__(self, target: tuple[str, int], *, rate: float | None = None) -> None:
        self._target, self._rate = target, rate
        self._pause = threading.Event()
        #: Whether it ends every connection that comes, at once.
        self.refuses = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._orders: queue.SimpleQueue[Callable[[], int]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._pairs: list[Pair] = []
        self._silent: list[Pair] = []
        self._done = False
        #: How many connections have ever come.
        self.accepted = 0
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def cut(self) -> int:
        """Reset every connection that carries; returns how many."""
        return self._order(self._cut)

    def silence(self, *, towards_target: bool = True, from_target: bool = True) -> int:
        """Carry nothing any more on the connections there are, without a word to either end; returns how many."""
        return self._order(lambda: self._silence(towards_target, from_target))

    def close(self) -> None:
        """End the proxy and everything it carries."""
        self._order(self._end)
        self._thread.join()
        self._selector.close()
        for one in (self._listener, self._bell, self._ear):
            one.close()

    def _order(self, work: Callable[[], int]) -> int:
        self._orders.put(work)
        self._bell.send(b".")
        return self._answers.get(timeout=10)

    def _run(self) -> None:
        while not self._done:
            for key, _ in self._selector.select():
                if key.fileobj is self._ear:
                    self._ear.recv(1)
                    self._answers.put(self._orders.get()())
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.data[0].fileno() >= 0:  # not dropped since the look
                    self._carry(*key.data)

    def _cut(self) -> int:
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            self._drop(pair)
        return len(pairs)

    def _silence(self, towards_target: bool, from_target: bool) -> int:
        pairs, self._pairs = self._pairs, []
        for client, server in pairs:
            for end, silent in ((client, towards_target), (server, from_target)):
                if silent:
                    self._selector.unregister(end)
        self._silent += pairs
        return len(pairs)

    def _end(self) -> int:
        self._done = True
        self._pairs, self._silent = self._pairs + self._silent, []
        return self._cut()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.refuses:
            client.close()
            return
        try:
            server = socket.create_connection(self._target, timeout=5)
        except OSError:
            client.close()
            return
        self.accepted += 1
        pair = (client, server)
        for end, other in ((client, server), (server, client)):
            end.settimeout(5)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ, (end, other, pair))
        self._pairs.append(pair)

    def _carry(self, end: socket.socket, other: socket.socket, pair: Pair) -> None:
        try:
            data = end.recv(_PIECE)
            if self._rate is not None:
                self._pause.wait(len(data) / self._rate)  # nothing else is carried meanwhile: the line is one
            other.sendall(data)
        except OSError:
            data = b""
        if not data:
            for pairs in (self._pairs, self._silent):
                if pair in pairs:
                    pairs.remove(pair)
            self._drop(pair)

    def _drop(self, pair: Pair) -> None:
        for end in pair:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(end)
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()
