"""What happened in a run, line by line; two runs with one hash are the same run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

LINES_KEPT: Final = 50
HASHED_AT_ONCE: Final = 256


class Trace:
    """Keeps the last lines, and the hash of all; tells each to a ``listener``, if there is one.

    What is not ``kept`` costs nothing: of thousands of runs only the one that fails is looked at, and run again.
    """

    def __init__(self, listener: Callable[[str], object] | None = None, *, kept: bool = True) -> None:
        self.listener, self.kept = listener, kept
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._digest = blake2b(digest_size=16)
        self._unhashed: list[str] = []

    @property
    def hash(self) -> str:
        """A digest of all lines."""
        self._hash()
        return self._digest.hexdigest()

    def write(self, line: str) -> None:
        """Add a line."""
        self.lines.append(line)
        self._unhashed.append(line)
        if len(self._unhashed) == HASHED_AT_ONCE:  # one by one takes twice as long
            self._hash()
        if self.listener is not None:
            self.listener(line)

    def _hash(self) -> None:
        self._digest.update("".join(self._unhashed).encode())
        self._unhashed.clear()
