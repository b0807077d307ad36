"""Watches who comes to one bound socket: which connections ended, and who could not get in.

An address is told once a minute. Events carry no address of the other end, so it is asked of the
descriptor as soon as ACCEPTED is read; of a connection that is gone by then it stays unknown ("").
Our own dialling ends stand at the door with a second connection until they have been judged.
"""

from __future__ import annotations

import socket
import struct
from collections import OrderedDict
from contextlib import suppress
from typing import Final

import zmq

from meshmq.links.accepted import as_socket, cut, inode
from meshmq.links.base import Decider, Reason
from meshmq.links.monitor import BOUND, FAILED, Monitor, failure
from meshmq.links.reserve import process_reserve, tell
from meshmq.links.sources import Source, Sources

_EVERY: Final = 60.0
#: A neighbour that was sent away too quickly to be named looks why, and can be named then: so long it is waited for.
_NAMELESS: Final = 0.5
_MOST_ADDRESSES: Final = 1024
_CREDENTIALS: Final = struct.Struct("iII")  # of a unix socket's other end: process, user, group


class Refusals(Source):
    """Tells the decider who was turned away, once a minute per address and reason; shared by all doors of a node."""

    def __init__(self, counts: dict[str, int], sources: Sources) -> None:
        self._told: OrderedDict[tuple[str, Reason], float] = OrderedDict()
        self._nameless: dict[Reason, float] = {}
        self._sources = sources
        self.counts = counts

    def tell(self, decider: Decider, reason: Reason, address: str, now: float) -> None:
        """Count one, and tell it unless that was done within the last minute."""
        self.counts["turned_away"] = self.counts.get("turned_away", 0) + 1
        if address:
            self._nameless.pop(reason, None)
            self._tell(decider, reason, address, now)
        elif reason not in self._nameless:
            self._nameless[reason] = now + _NAMELESS
            self._sources.later(self, now + _NAMELESS)

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Tell of those whose name has not come."""
        for reason in [reason for reason, due in self._nameless.items() if now >= due]:
            del self._nameless[reason]
            self._tell(decider, reason, "", now)
        return 0

    def _tell(self, decider: Decider, reason: Reason, address: str, now: float) -> None:
        key = (address, reason)
        if now - self._told.get(key, -_EVERY) < _EVERY:
            return
        self._told[key] = now
        self._told.move_to_end(key)
        if len(self._told) > _MOST_ADDRESSES:
            self._told.popitem(last=False)
        decider.turned_away(reason, address, now)


class Door:
    """The monitor of one bound socket."""

    def __init__(self, bound: zmq.SyncSocket, refusals: Refusals, *, secret: bool) -> None:
        self._monitor = Monitor(bound, BOUND)
        self._refusals = refusals
        self._secret = secret
        self._counts = refusals.counts
        #: What it is bound to, by the descriptor it listens with.
        self._listening: dict[int, object] = {}
        self._young: dict[int, str] = {}
        self._grown = 0
        self._failed: tuple[Reason | None] | None = None

    def __len__(self) -> int:
        """Return how many are at the door: connected, and not known to be in."""
        return len(self._young)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to read."""
        return self._monitor.fileno()

    def read(self, decider: Decider, now: float) -> list[int]:
        """Tell who was turned away, and return the descriptors of connections that have ended."""
        ended: list[int] = []
        for event, value in self._monitor.events():
            if event == zmq.EVENT_ACCEPTED:
                if not self._send_away(decider, value):
                    self._young[value] = _peer(value)
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._grow()
            elif event & FAILED:
                self._failed = (failure(event, value, secret=self._secret),)
            elif event == zmq.EVENT_DISCONNECTED:
                self._end(decider, value, now)
                ended.append(value)
            elif event == zmq.EVENT_LISTENING:
                self._listening[value] = _name(value)
            elif event == zmq.EVENT_CLOSED:
                self._listening.pop(value, None)
        return ended

    def listeners(self) -> tuple[int, ...]:
        """Return the descriptors that it listens with."""
        return tuple(self._listening)

    def close(self) -> None:
        """Stop watching, before the socket is closed."""
        self._monitor.close()

    def _send_away(self, decider: Decider, fileno: int) -> bool:
        """Cut a connection for which there is hardly a descriptor; whether there was not."""
        reserve = process_reserve()
        if not reserve.scarce and reserve.is_low(fileno):
            tell(decider, reserve)
        # What it was may have gone, and its number be another's by now: of the program, or of one that is here.
        if not reserve.scarce or _name(fileno) not in self._listening.values():
            return False
        self._counts["no_descriptors"] = self._counts.get("no_descriptors", 0) + 1
        cut(fileno, inode(fileno))
        return True

    def _grow(self) -> None:
        # A success does not say whose it is: only when all are through is it known of each.
        self._grown += 1
        if self._grown >= len(self._young):
            self._young.clear()
            self._grown = 0

    def _end(self, decider: Decider, fileno: int, now: float) -> None:
        address = self._young.pop(fileno, None)
        failed, self._failed = self._failed, None
        reason: Reason | None = None
        if failed is not None:
            reason = failed[0]
        elif address is not None and not self._grown:  # else it may be one of those that were through
            reason = "not_meshmq"
        if self._grown and self._grown >= len(self._young):
            self._young.clear()
            self._grown = 0
        if reason == "wrong_secret" and not address:
            address = self._companion()
        if reason is not None:
            self._refusals.tell(decider, reason, address or "", now)

    def _companion(self) -> str:
        addresses = set(self._young.values()) - {""}
        return addresses.pop() if len(addresses) == 1 else ""


def _name(fileno: int) -> object:
    """Return what a socket is bound to, ``None`` where it is none."""
    with suppress(OSError), as_socket(fileno) as here:
        return here.getsockname()
    return None


def _peer(fileno: int) -> str:
    """Return the IP address, or the process, at the other end of an accepted connection, "" where it has gone."""
    with suppress(OSError), as_socket(fileno) as accepted:
        if accepted.family in (socket.AF_INET, socket.AF_INET6):
            name = accepted.getpeername()
            return str(name[0]) if isinstance(name, tuple) else ""  # it is another socket's by now, of another kind
        if hasattr(socket, "SO_PEERCRED"):
            process, _, _ = _CREDENTIALS.unpack(
                accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
            return f"process {process}"
    return ""
