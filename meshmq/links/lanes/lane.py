"""How one direct connection gets a lane: what it is for, and who agrees to what.

Who sends much asks for one (WANTED), who reads makes a pipe and says where its other end is to be found (LAID), and
who sends says that it has it, as the last thing that goes by the socket (TAKEN). So messages stay in order, and each
direction stands for itself. The socket stays: libzmq tells by it when the peer has gone.

Between two threads that wait for each other libzmq's own two are two more to wake each way: over a lane a round trip
takes 0.7 of the time, with nothing else changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import zmq

from meshmq.errors import ProtocolError
from meshmq.links.base import Decider
from meshmq.links.lanes.pipes import CROSSES, Inlet, Outlet, Take, ThrowOut
from meshmq.links.sources import Sources
from meshmq.wire.lanes import (
    LAID,
    STARTS,
    WANTED,
    pack_laid,
    pack_taken,
    pack_wanted,
    unpack_laid,
    unpack_taken,
)

#: So many messages within so many seconds are worth a lane: who is quiet keeps its descriptors.
_MANY: Final = 16
_SPAN: Final = 1.0

#: Sends one message on the connection, or raises ``zmq.ZMQError`` before its first frame has left.
Send = Callable[[Sequence[bytes]], None]


class Lane:
    """Stands between a direct connection and its socket, and takes the lane where there is one."""

    def __init__(
        self, send: Send, take: Take, throw_out: ThrowOut, sources: Sources, most: int, *, enabled: bool
    ) -> None:
        self._socket_send, self._take, self._throw_out = send, take, throw_out
        self._sources, self._most = sources, most
        self._enabled = CROSSES and enabled
        self._inlet: Inlet | None = None
        self._outlet: Outlet | None = None
        self._wanted = False
        self._sent, self._since = 0, 0.0
        #: Sends one message, by whichever way it is now.
        self.send: Send = self._send_and_count if self._enabled else send

    @property
    def taken(self) -> bool:
        """Whether what is sent goes by the lane, and does not touch the socket."""
        return self._outlet is not None

    def hear(self, frame: bytes, decider: Decider, now: float) -> None:
        """Take a message that starts as those do which are for us."""
        try:
            kind = STARTS[frame[:4]]
            if kind == WANTED:
                self._lay()
            elif kind == LAID:
                self._open(frame)
            else:
                self._begin(unpack_taken(frame))
        except ProtocolError:
            self._throw_out("garbled", decider, now)

    def finish(self, decider: Decider, now: float) -> None:
        """Hand on what came by the lane before the peer had gone."""
        if self._inlet is not None:
            self._inlet.finish(decider, now)

    def close(self) -> None:
        """End it: what the pipe has taken arrives, and what it had no room for does not."""
        if self._inlet is not None:
            self._inlet.close()
        if self._outlet is not None:
            self._outlet.close()
        self._enabled = False

    def _send_and_count(self, frames: Sequence[bytes]) -> None:
        self._socket_send(frames)
        self._sent += 1
        if self._sent % _MANY == 0:
            now = time.monotonic()
            if now - self._since > _SPAN:
                self._since = now
            else:
                self.send = self._socket_send
                self._wanted = True
                self._socket_send([pack_wanted()])

    def _lay(self) -> None:
        if self._inlet is not None:
            raise ProtocolError("a second lane on one connection")
        if not self._enabled:
            return
        with suppress(OSError, zmq.ZMQError):  # there are no descriptors, or the peer has gone: then there is none
            self._inlet = Inlet(self._sources, self._take, self._throw_out, self._most)
            self.send([pack_laid(self._inlet.laid)])

    def _open(self, frame: bytes) -> None:
        if not self._wanted:
            raise ProtocolError("a lane that nobody wanted")
        self._wanted = False
        if not self._enabled:
            return
        outlet = None
        with suppress(OSError):  # it is on another machine, in another container, or of another user
            outlet = Outlet(self._sources, unpack_laid(frame), self._throw_out, self._most)
        try:
            self._socket_send([pack_taken(outlet is not None)])
        except zmq.ZMQError:  # it has gone, which is told elsewhere, or reads nothing: then there is none
            if outlet is not None:
                outlet.close()
        else:
            if outlet is not None:
                self._outlet, self.send = outlet, outlet.send

    def _begin(self, took: bool) -> None:
        if self._inlet is None:
            raise ProtocolError("a lane was taken that nobody laid")
        if took:
            self._inlet.begin()
        else:
            self._inlet.close()
