"""Takes whole messages off one ZeroMQ socket, bounded in frames, without ever waiting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import zmq

from meshmq.codecs.base import Buffer

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
        return None if first is None else self.rest([first])

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
        """Append what is left of the message begun with ``frames``, and return them.

        All but the first are large values: they stay where libzmq has put them, as read-only views, which cost 2 us
        each and keep them there.
        """
        socket = self.socket
        self.overlong = False
        while socket.getsockopt(_RCVMORE):
            frame = socket.recv(_DONTWAIT, copy=False)
            if len(frames) < MOST_FRAMES:
                frames.append(cast(bytes, _view(frame)))
            else:
                self.overlong = True
        return frames


def readable(socket: zmq.SyncSocket) -> bool:
    """Say whether something is there; asked after every touch, which may have swallowed the edge [F 4]."""
    return bool(int(socket.getsockopt(_EVENTS)) & _POLLIN)


def send(socket: zmq.SyncSocket, frames: Sequence[bytes]) -> None:
    """Send one message or raise before its first frame has left.

    Frames are copied, but for views of what libzmq has already (``owned``, or received). pyzmq's way without a copy for
    memory of ours needs a thread and a context of its own, which outlive our nodes [PAINS 25]; it would save an eighth
    of the sender's time with arrays of 1 and 16 MB.

    Raises:
        zmq.ZMQError: nobody is there (``EAGAIN``, ``EHOSTUNREACH``).
    """
    left = len(frames)
    for frame in frames:
        left -= 1
        flags = _MORE if left else _DONTWAIT
        if type(frame) is bytes:
            socket.send(frame, flags)
        else:
            _send_large(socket, frame, flags)


def _send_large(socket: zmq.SyncSocket, frame: bytes | memoryview, flags: int) -> None:
    if type(frame) is memoryview and isinstance(frame.obj, zmq.Frame) and len(frame.obj) == len(frame):
        socket.send(frame.obj, flags, copy=False)
    else:
        socket.send(frame, flags)


def owned(data: Buffer) -> Buffer:
    """Return a copy of large data in memory that libzmq can send, as often as need be, without copying it again."""
    return _view(zmq.Frame(data, copy=True))


def _view(frame: zmq.Frame) -> memoryview:
    held: Any = frame
    return memoryview(held).toreadonly()
