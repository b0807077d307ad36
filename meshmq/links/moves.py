"""Follows the addresses of this machine: where one comes, a node listens there, too; one that went is told no more.

Listening is never ended at once where an address went: libzmq would end all that came in by it, and it may be back in
a moment, with its connections.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

import zmq

from meshmq.errors import LinkError
from meshmq.links.base import Bound, Decider, LinkName
from meshmq.links.binding import bind_tcp
from meshmq.links.sources import Source, Sources

#: Changes come in groups: one address goes, another comes.
_SETTLE: Final = 0.2
#: How often to look where the system does not say, and to try again what failed.
_LOOK: Final = 5.0
#: Connections by an address that went so long ago are over.
_GONE: Final = 60.0
#: Links, IPv4 and IPv6 addresses: what ``rtnetlink(7)`` tells of.
_GROUPS: Final = 0x1 | 0x10 | 0x100


class End(Source, Protocol):
    """A bound end of a link."""

    @property
    def socket(self) -> zmq.SyncSocket:
        """What is bound."""


class Moves:
    """Keeps the ends of a node bound to whatever ``addresses()`` says; a source.

    ``moved(decider, addresses, gone, bound, now)`` is called after each change. No address at all is no
    change: there is nothing better to tell than the last.
    """

    def __init__(
        self,
        ends: Mapping[LinkName, End],
        bound: Bound,
        addresses: Callable[[], Sequence[str]],
        sources: Sources,
        moved: Callable[[Decider, Sequence[str], Collection[str], Bound, float], None],
    ) -> None:
        self._ends, self._sources = ends, sources
        self._addresses, self._moved = addresses, moved
        self._ipc = {link: _of(bound, link, "ipc://") for link in ends}
        self._listening = {
            link: {_host(endpoint): endpoint for endpoint in _of(bound, link, "tcp://")} for link in ends
        }
        self._ports = {link: _of(bound, link, "tcp://")[0].rpartition(":")[2] for link in ends}
        self._current = set(self._listening["control"])
        self._gone: dict[str, float] = {}
        self._told = ""
        self._due: float | None = 0.0  # what changed before we listened is seen at the first step
        self._news = _news()
        if self._news is not None:
            sources.watch(self._news.fileno(), self)
        sources.later(self, 0.0)

    def drain(self, decider: Decider, now: float, quota: int) -> int:
        """Look whether the addresses are still the same, where there is reason to."""
        if self._heard():
            self._look_at(now + _SETTLE)
        if self._due is not None and now >= self._due:
            self._due = None
            if self._news is None:
                self._look_at(now + _LOOK)
            self._look(decider, now)
        return 0

    def close(self) -> None:
        """Look no more."""
        if self._news is not None:
            self._sources.unwatch(self._news.fileno())
            self._news.close()

    def _look_at(self, when: float) -> None:
        if self._due is None or when < self._due:
            self._due = when
            self._sources.later(self, when)

    def _look(self, decider: Decider, now: float) -> None:
        wanted = list(dict.fromkeys(self._addresses()))
        if not wanted:
            return
        try:
            for link, end in self._ends.items():
                self._listen(link, end, wanted)
        except LinkError as error:
            self._look_at(now + _LOOK)
            if str(error) != self._told:
                self._told = str(error)
                decider.words.append((logging.WARNING, "meshmq.links", f"this machine has a new address, but {error}"))
            return
        self._leave(wanted, now)
        if set(wanted) != self._current:
            gone, self._current = self._current - set(wanted), set(wanted)
            self._moved(decider, wanted, gone, Bound(*(self._told_of(link, wanted) for link in _ORDER)), now)

    def _listen(self, link: LinkName, end: End, wanted: Sequence[str]) -> None:
        listening = self._listening[link]
        for address in wanted:
            if address not in listening:
                (listening[address],) = bind_tcp(end.socket, [address], int(self._ports[link]))
                self._sources.wake(end)  # F 4

    def _leave(self, wanted: Sequence[str], now: float) -> None:
        gone = {address for listening in self._listening.values() for address in listening} - set(wanted)
        self._gone = {address: self._gone.get(address, now) for address in gone}
        for address, since in self._gone.items():
            if now < since + _GONE:
                self._look_at(since + _GONE)
                continue
            for link, end in self._ends.items():
                endpoint = self._listening[link].pop(address, None)
                if endpoint is not None:
                    with suppress(zmq.ZMQError):
                        end.socket.unbind(endpoint)
                    self._sources.wake(end)  # F 4

    def _told_of(self, link: LinkName, wanted: Sequence[str]) -> tuple[str, ...]:
        return (*self._ipc[link], *(self._listening[link][address] for address in wanted))

    def _heard(self) -> bool:
        if self._news is None:
            return False
        heard = False
        with suppress(BlockingIOError):
            while True:
                try:
                    self._news.recv(1 << 16)
                except BlockingIOError:
                    raise
                except OSError:  # more happened than the kernel kept: something did
                    return True
                heard = True
        return heard


#: As the fields of ``Bound``.
_ORDER: Final[tuple[LinkName, ...]] = ("control", "direct", "topics")


def _of(bound: Bound, link: LinkName, scheme: str) -> tuple[str, ...]:
    addresses: tuple[str, ...] = getattr(bound, link)
    return tuple(address for address in addresses if address.startswith(scheme))


def _host(endpoint: str) -> str:
    return endpoint.removeprefix("tcp://").rpartition(":")[0].removeprefix("[").removesuffix("]")


def _news() -> socket.socket | None:
    """Return what becomes readable whenever an address or a link changes, ``None`` where there is no such thing."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        return None
    news = socket.socket(family, socket.SOCK_RAW)
    try:
        news.setblocking(False)
        news.bind((0, _GROUPS))
    except OSError:  # a sandbox may forbid it
        news.close()
        return None
    return news
