"""The direct connections that come from outside: all arrive on one ROUTER, which names each anew.

libzmq can neither close one accepted connection nor say that it has ended [F 52]. But a message
knows the descriptor it came by, and the monitor names the descriptor of what ends; so connections
are told apart, ended and cut by descriptor. A descriptor is used again by the next connection, so
the monitor is read to its end before a new connection is noted down.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import zmq

from meshmq.links.accepted import cut, inode
from meshmq.links.base import Connection, Decider
from meshmq.links.door import Door, Refusals
from meshmq.links.near import STARTS as NEAR
from meshmq.links.near import Near
from meshmq.links.options import Options
from meshmq.links.reader import Reader, readable, send
from meshmq.links.shared.host import is_accepted_here, is_neighbour
from meshmq.links.sources import Ear, Sources
from meshmq.wire.frames import MAGIC

_MOST_GUESTS: Final = 65_536
#: The end of a connection is told by libzmq a moment before the last frames are readable.
_TAIL: Final = 0.01
#: How long what was sent may take to leave before a connection is cut.
_FAREWELL: Final = 0.1


class _Guest:
    __slots__ = ("connection", "ends", "fileno", "full", "identity", "inode", "muted", "near")

    def __init__(self, identity: bytes, connection: Connection, fileno: int, *, muted: bool) -> None:
        self.identity = identity
        self.connection = connection
        self.fileno = fileno
        self.inode = inode(fileno)
        self.muted = muted
        self.full = False
        self.ends: float | None = None
        self.near: Near | None = None


class Outside:
    """The bound ROUTER and everybody who dialled it; a source."""

    def __init__(self, options: Options, sources: Sources, refusals: Refusals, counts: dict[str, int]) -> None:
        self.socket = options.direct_server()
        self.door = Door(self.socket, refusals, secret=options.keys is not None)
        self.ear = Ear(self._read_door)
        self._reader = Reader(self.socket)
        self._options, self._sources = options, sources
        self._refusals = refusals
        self._counts = counts
        self._next: Connection = 1
        self._by_identity: dict[bytes, _Guest] = {}
        self._by_connection: dict[Connection, _Guest] = {}
        self._by_fileno: dict[int, _Guest] = {}
        self._ending: list[_Guest] = []
        self._leaving: list[_Guest] = []

    def __len__(self) -> int:
        return len(self._by_identity)

    def send(self, connection: Connection, frames: Sequence[bytes]) -> bool:
        """Send one message; ``False`` when the connection is known to have ended."""
        guest = self._by_connection.get(connection)
        if guest is None:
            return False
        if guest.full:
            return True
        try:
            if not (guest.near or self._near(guest)).send(frames):
                return True
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise
            # It has ended, but what it sent before may not be read yet: that comes first. Or it takes nothing
            # more: it is cut, and the session goes on over a fresh connection.
            guest.full = error.errno == zmq.EAGAIN
            self._leaving.append(guest)
            self._sources.wake(self)
        if readable(self.socket):  # F 4
            self._sources.wake(self)
        return True

    def hang_up(self, connection: Connection) -> None:
        """Hear nothing more of a connection, and cut it once what was sent has had its time to leave."""
        guest = self._by_connection.get(connection)
        if guest is not None:
            self._forget(guest)
            self._leaving.append(guest)
            self._sources.wake(self)

    def forget(self) -> None:
        """Hear nothing more of all connections, before the socket is closed."""
        for guest in list(self._by_connection.values()):
            self._forget(guest)

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Hand on what has arrived, then what has ended."""
        if self.socket.closed:
            return 0
        for guest in self._leaving:
            self._end_at(guest, now + (_FAREWELL if guest.muted or guest.full else _TAIL))
        self._leaving.clear()
        taken = 0
        while taken < quota:
            identity = self._reader.first()
            if identity is None:
                break
            taken += 1
            self._take(identity, decider, now)
            if self.socket.closed:
                return 0
            if not readable(self.socket):  # an exception takes longer than to ask
                break
        self._finish(decider, now, drained=taken < quota)
        return taken

    def _take(self, identity: bytes, decider: Decider, now: float) -> None:
        guest = self._by_identity.get(identity)
        if guest is None:
            frame = self._reader.described()
            frames = self._reader.rest([frame.bytes])
            guest = self._meet(identity, frame, decider, now)
            if not guest.muted and frames[0][: len(MAGIC)] != MAGIC:
                self._refusals.tell(decider, "not_meshmq", _address(frame), now)
                self._throw_out(guest, "foreign")
        else:
            frames = self._reader.rest([self.socket.recv(zmq.DONTWAIT)])
        if guest.muted:
            self._count("unheard")
        elif self._reader.overlong:
            self._expel(guest, "overlong", decider, now)
        else:
            self._hand_on(guest, frames, decider, now)

    def _hand_on(self, guest: _Guest, frames: list[bytes], decider: Decider, now: float) -> None:
        if frames[0][:4] in NEAR:
            (guest.near or self._near(guest)).take(frames, decider, now)
        else:
            decider.receive(guest.connection, frames, now)

    def _take_off_lane(self, guest: _Guest, frames: list[bytes], decider: Decider, now: float) -> None:
        self._hand_on(guest, frames, decider, now)
        if frames[0][:4] in NEAR and not self.socket.closed and readable(self.socket):  # F 4: it may have been answered
            self._sources.wake(self)

    def _near(self, guest: _Guest) -> Near:
        def pass_on(frames: Sequence[bytes]) -> None:
            send(self.socket, [guest.identity, *frames])

        here, neighbour = is_accepted_here(guest.fileno, guest.inode), is_neighbour(guest.fileno)
        ways = pass_on, partial(self._take_off_lane, guest), partial(self._expel, guest)
        guest.near = Near(guest.connection, *ways, self._options, self._sources, here=here, neighbour=neighbour)
        return guest.near

    def _meet(self, identity: bytes, frame: zmq.Frame, decider: Decider, now: float) -> _Guest:
        self._read_door(decider, now)
        fileno = -1
        with suppress(zmq.ZMQError):
            fileno = int(frame.get(zmq.SRCFD))
        full = len(self._by_identity) >= _MOST_GUESTS
        guest = _Guest(identity, self._next, fileno, muted=full)
        if full:
            self._count("crowded")
            cut(guest.fileno, guest.inode)
            return guest
        self._next += 2
        self._by_identity[identity] = guest
        self._by_connection[guest.connection] = guest
        if fileno >= 0:
            self._by_fileno[fileno] = guest
        return guest

    def _forget(self, guest: _Guest) -> None:
        """Hear nothing more of a connection."""
        del self._by_connection[guest.connection]
        guest.muted = True
        if guest.near is not None:
            guest.near.close()
            guest.near = None

    def _throw_out(self, guest: _Guest, why: str) -> None:
        self._count(why)
        self._forget(guest)
        cut(guest.fileno, guest.inode)

    def _expel(self, guest: _Guest, why: str, decider: Decider, now: float) -> None:
        self._throw_out(guest, why)
        decider.ended(guest.connection, now)

    def _read_door(self, decider: Decider, now: float) -> None:
        for fileno in self.door.read(decider, now) if not self.socket.closed else ():
            guest = self._by_fileno.pop(fileno, None)
            if guest is not None:
                guest.fileno = -1
                self._end_at(guest, now + _TAIL)

    def _end_at(self, guest: _Guest, when: float) -> None:
        if guest.ends is None:
            self._ending.append(guest)
        elif guest.ends <= when:
            return  # the earliest counts: what it goes on sending does not put off its end
        guest.ends = when
        self._sources.later(self, when)

    def _finish(self, decider: Decider, now: float, *, drained: bool) -> None:
        """End whose time has come; without having read to the end, of those still heard only who is long due."""
        due = now if drained else now - 1.0
        for guest in self._ending[:]:
            to_cut = (guest.muted or guest.full) and guest.fileno >= 0
            if guest.ends is None or guest.ends > (now if to_cut else due):
                continue
            self._ending.remove(guest)
            guest.ends = None
            if to_cut:
                if guest.full:
                    self._count("unread")
                cut(guest.fileno, guest.inode)  # the door will tell when it has come about
                continue
            self._by_identity.pop(guest.identity, None)
            if self._by_fileno.get(guest.fileno) is guest:
                del self._by_fileno[guest.fileno]
            if guest.connection in self._by_connection and guest.near is not None:
                guest.near.finish(decider, now)
            if guest.connection in self._by_connection:
                self._forget(guest)
                decider.ended(guest.connection, now)

    def _count(self, what: str) -> None:
        self._counts[what] = self._counts.get(what, 0) + 1


def _address(frame: zmq.Frame) -> str:
    try:
        address = str(frame.get("Peer-Address"))
    except zmq.ZMQError:
        return ""
    # Of a unix socket libzmq says "localhost:user:group:process".
    return f"process {address.rpartition(':')[2]}" if address.startswith("localhost:") else address
