"""One pollable descriptor around two: what carries, and a bell. Works under asyncio and uvloop [F 29]."""

from __future__ import annotations

import selectors

from meshmq.links.bell import Bell


class Nest:
    """An epoll or kqueue that holds a foreign descriptor and a bell of its own."""

    __slots__ = ("_bell", "_inner", "_selector", "drain", "ring")

    def __init__(self, inner: int) -> None:
        self._inner = inner
        self._bell = Bell()
        self._selector = selectors.DefaultSelector()
        self._selector.register(inner, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self.ring = self._bell.ring
        self.drain = self._bell.drain

    def fileno(self) -> int:
        """Return the descriptor to sleep on."""
        return self._selector.fileno()

    def forget(self) -> None:
        """Let go of the foreign descriptor; before its owner closes it.

        A forked child's copy would keep a descriptor that is merely closed in the epoll for ever.
        """
        self._selector.unregister(self._inner)

    def close(self) -> None:
        """Give the own descriptors back. In a forked child this is not felt by the parent; ``forget`` is."""
        self._selector.close()
        self._bell.close()
