"""Keeps what is sent on a connection that does not stand yet, as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_MESSAGES: Final = 16_384
_BYTES: Final = 1 << 22


class Held:
    """Messages that wait for their connection, oldest first."""

    __slots__ = ("_bytes", "_messages")

    def __init__(self) -> None:
        self._messages: list[list[bytes]] = []
        self._bytes = 0

    def add(self, frames: Sequence[bytes]) -> bool:
        """Keep one message; ``False`` where there is no room for it. The first always has room."""
        size = sum(map(len, frames))
        if self._messages and (len(self._messages) >= _MESSAGES or self._bytes + size > _BYTES):
            return False
        self._messages.append(list(frames))
        self._bytes += size
        return True

    def take(self) -> list[list[bytes]]:
        """Give away all."""
        messages, self._messages, self._bytes = self._messages, [], 0
        return messages
