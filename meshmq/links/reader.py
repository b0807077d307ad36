"""Takes whole messages off one ZeroMQ socket, bounded in frames, without ever waiting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import zmq

# As plain numbers: arithmetic on pyzmq's enumerations costs more than the calls it is for.
_DONTWAIT: Final = int(zmq.DONTWAIT)
_MORE: Final = int(zmq.DONTWAIT) | int(zmq.SNDMORE)
_POLLIN: Final = int(zmq.POLLIN)
_EVENTS: Final = zmq.EVENTS
_RCVMORE: Final = zmq.RCVMORE

#: More frames than any message of ours has; MAXMSGSIZE bounds each frame, not their number [F 38].
MOST_FRAMES: Final = 64


class Reader:
    """Takes messages off ``socket``; ``overlong`` says that the last one had too many frames and was cut."""

    __slots__ = ("overlong", "socket")

    def __init__(self, socket: zmq.SyncSocket) -> None:
        self.socket = socket
        self.overlong = False

    def message(self) -> list[bytes] | None:
        """Return the next message, or ``None`` when nothing is there [F 4: only this ends a drain]."""
        first = self.first()
        if first is None:
            return None
        return self.rest([first])

    def first(self) -> bytes | None:
        """Return the first frame of the next message, or ``None`` when nothing is there."""
        try:
            return self.socket.recv(_DONTWAIT)
        except zmq.Again:
            return None

    def described(self) -> zmq.Frame:
        """Return the next frame of a message together with what libzmq knows of where it came from."""
        return self.socket.recv(_DONTWAIT, copy=False)

    def rest(self, frames: list[bytes]) -> list[bytes]:
        """Append what is left of the message begun with ``frames``, and return them."""
        socket = self.socket
        self.overlong = False
        while socket.getsockopt(_RCVMORE):
            frame = socket.recv(_DONTWAIT)
            if len(frames) < MOST_FRAMES:
                frames.append(frame)
            else:
                self.overlong = True
        return frames


def readable(socket: zmq.SyncSocket) -> bool:
    """Say whether something is there; asked after every touch, which may have swallowed the edge [F 4]."""
    return bool(int(socket.getsockopt(_EVENTS)) & _POLLIN)


def send(socket: zmq.SyncSocket, frames: Sequence[bytes]) -> None:
    """Send one message or raise before its first frame has left.

    Frames are copied: pyzmq's way without a copy needs a thread and a context of its own, and pays
    only far above the size of our chunks [PAINS 25].

    Raises:
        zmq.ZMQError: nobody is there (``EAGAIN``, ``EHOSTUNREACH``).
    """
    for frame in frames[:-1]:
        socket.send(frame, _MORE)
    socket.send(frames[-1], _DONTWAIT)
