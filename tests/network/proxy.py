"""A TCP proxy in a test's hand: it carries, at its pace, cuts, refuses, and goes silent."""

from __future__ import annotations

import contextlib
import queue
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

_PIECE: Final = 1 << 16
#: Closing sends a reset at once: what was on its way is lost, as when a router forgets a connection.
_RESET: Final = struct.pack("ii", 1, 0)

Pair = tuple[socket.socket, socket.socket]


class Proxy:
    """Listens on a port of its own and carries every connection to ``target``, until told otherwise.

    With a ``rate`` it carries at most so many bytes a second, of all connections together; with a ``delay``
    everything arrives so many seconds later, in order.

    Its thread alone touches what it carries: a descriptor closed by another thread may already be
    somebody else's when it is read.
    """

    def __init__(self, target: tuple[str, int], *, rate: float | None = None) -> None:
        self._target, self._rate, self._delay = target, rate, 0.0
        #: What is on its way, and when it is due.
        self._late: deque[tuple[float, socket.socket, bytes, Pair]] = deque()
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

    def slow(self, rate: float | None, delay: float) -> int:
        """Carry at another rate, and later, from now on; returns how many connections are carried."""
        return self._order(lambda: self._slow(rate, delay))

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
            for key, _ in self._selector.select(self._seconds_until_due()):
                if key.fileobj is self._ear:
                    self._ear.recv(1)
                    self._answers.put(self._orders.get()())
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.data[0].fileno() >= 0:  # not dropped since the look
                    self._carry(*key.data)
            while self._late and self._late[0][0] <= time.monotonic():
                _, other, data, pair = self._late.popleft()
                self._deliver(other, data, pair)

    def _seconds_until_due(self) -> float | None:
        return max(0.0, self._late[0][0] - time.monotonic()) if self._late else None

    def _slow(self, rate: float | None, delay: float) -> int:
        self._rate, self._delay = rate, delay
        return len(self._pairs)

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
        except OSError:
            data = b""
        if data and (self._delay or self._late):
            due = time.monotonic() + self._delay
            self._late.append((max(due, self._late[-1][0]) if self._late else due, other, data, pair))
        else:
            self._deliver(other, data, pair)

    def _deliver(self, other: socket.socket, data: bytes, pair: Pair) -> None:
        """Hand on what came, or end the connection where nothing did."""
        try:
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
