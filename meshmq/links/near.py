"""What stands between a direct connection and its socket: nothing, but where its peer is on this host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshmq.links.base import Connection, Decider
from meshmq.links.lanes.lane import Lane, Send
from meshmq.links.lanes.pipes import Take, ThrowOut
from meshmq.links.options import Options
from meshmq.links.shared.loans import Loans
from meshmq.links.sources import Sources
from meshmq.wire import lanes, loans

#: What the first frames start with that are for us, and not for the session.
STARTS: Final = frozenset((*lanes.STARTS, *loans.STARTS))


class Near:
    """Lends large frames, and takes a lane, where the peer is ``here``.

    A lane only where the socket is a ``neighbour``'s, by ``ipc``: who asks for ``tcp`` gets it.
    """

    __slots__ = ("_lane", "_loans")

    def __init__(
        self,
        connection: Connection,
        send: Send,
        take: Take,
        throw_out: ThrowOut,
        options: Options,
        sources: Sources,
        *,
        here: bool,
        neighbour: bool,
    ) -> None:
        enabled = options.shared_memory and here and neighbour
        self._lane = Lane(send, take, throw_out, sources, options.frame_bytes, enabled=enabled)
        self._loans = Loans(connection, self._pass_on, throw_out, options, sources, here=here)

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send one message; whether that touched the socket.

        Raises:
            zmq.ZMQError: nobody is there.
        """
        if len(frames) == 1:
            self._lane.send(frames)
        else:
            self._loans.send(frames)
        return not self._lane.taken

    def take(self, frames: list[bytes], decider: Decider, now: float) -> None:
        """Take a message that starts as those do which are for us."""
        if frames[0][:4] in lanes.STARTS:
            self._lane.hear(frames[0], decider, now)
        else:
            self._loans.take(frames, decider, now)

    def finish(self, decider: Decider, now: float) -> None:
        """Hand on what had come when the connection ended."""
        self._lane.finish(decider, now)

    def close(self) -> None:
        """End both; what was borrowed stays as long as it is used, and what the lane has taken arrives."""
        self._lane.close()
        self._loans.close()

    def _pass_on(self, frames: Sequence[bytes]) -> None:
        self._lane.send(frames)
