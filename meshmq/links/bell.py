"""A descriptor that becomes readable when somebody rings: from any thread, signal handler or ``__del__``."""

from __future__ import annotations

import contextlib
import socket


class Bell:
    """Wakes whoever sleeps on its descriptor.

    Every ring is a write. A flag that spares the second one would have to be set before the write or
    after it; in between an exception or another thread makes it lie, and a wake-up is lost for ever.
    """

    __slots__ = ("_reader", "_writer")

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to sleep on."""
        return self._reader.fileno()

    def ring(self) -> None:
        """Wake whoever sleeps, or the next who would; never waits, and does nothing once closed."""
        with contextlib.suppress(OSError):  # full: it is ringing already; closed: nobody sleeps
            self._writer.send(b"\0")

    def drain(self) -> None:
        """Forget all rings so far; call it before looking for what they were about."""
        with contextlib.suppress(OSError):
            self._reader.recv(4096)

    def close(self) -> None:
        """Give the descriptors back."""
        self._writer.close()
        self._reader.close()
