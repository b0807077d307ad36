"""What one dialled connection subscribes to, before its socket is there and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import zmq


class Subscriptions:
    """Each string once, in the order in which they were asked for."""

    __slots__ = ("_standing",)

    def __init__(self, strings: Iterable[bytes]) -> None:
        self._standing = dict.fromkeys(strings)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._standing)

    def tune(self, socket: zmq.SyncSocket | None, added: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        """Subscribe to what is new, in this order, then withdraw what was subscribed; now, where there is a socket."""
        for string in added:
            if string not in self._standing:
                self._standing[string] = None
                if socket is not None:
                    socket.setsockopt(zmq.SUBSCRIBE, string)
        for string in dropped:
            if string in self._standing:
                del self._standing[string]
                if socket is not None:
                    socket.setsockopt(zmq.UNSUBSCRIBE, string)
