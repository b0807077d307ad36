"""What one connection is subscribed to, as a SUB keeps it at one end and an XPUB at the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator


class Subscriptions:
    """Strings, each once; iterated in byte order, in which libzmq tells them [F 45]."""

    __slots__ = ("_lengths", "_strings")

    def __init__(self, strings: Iterable[bytes] = ()) -> None:
        self._strings: set[bytes] = set()
        self._lengths: Counter[int] = Counter()
        for string in strings:
            self.add(string)

    def __iter__(self) -> Iterator[bytes]:
        return iter(sorted(self._strings))

    def __len__(self) -> int:
        return len(self._strings)

    def add(self, string: bytes) -> bool:
        """Subscribe; ``False`` where that was done already."""
        if string in self._strings:
            return False
        self._strings.add(string)
        self._lengths[len(string)] += 1
        return True

    def drop(self, string: bytes) -> bool:
        """Withdraw; ``False`` where nobody subscribed."""
        if string not in self._strings:
            return False
        self._strings.remove(string)
        self._lengths[len(string)] -= 1
        if not self._lengths[len(string)]:
            del self._lengths[len(string)]
        return True

    def match(self, first: bytes) -> bool:
        """Whether a message that begins with this frame is wanted: a subscription is the beginning of it."""
        return any(first[:length] in self._strings for length in self._lengths)
