"""A network inside one process: where nodes meet, and where a test breaks what is between them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Self

from meshmq.errors import LinkError
from meshmq.links.base import Connection, LinkName, Reason
from meshmq.names import counted
from meshmq.testing.memory_links import SCHEME, MemoryLinks
from meshmq.testing.memory_wires import Wire


class MemoryNetwork:
    """Where ``MemoryLinks`` meet, and where a test breaks what is between them.

    With ``tells_ends=False`` the end of a direct connection is learned as ZeroMQ's bound sockets
    learn it: only by the next ``send``, which returns ``False``.
    """

    def __init__(self, *, tells_ends: bool = True) -> None:
        self.tells_ends = tells_ends
        self.lock = threading.Lock()
        self._open: dict[str, MemoryLinks] = {}
        self._cuts: dict[frozenset[str], bool] = {}
        self._numbers = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<MemoryNetwork of {counted(len(self._open), 'node')}, {counted(len(self._cuts), 'cut')}>"

    def close(self) -> None:
        """Close the links of every node."""
        for links in list(self._open.values()):
            links.close(0)

    def links(self, name: str | None = None) -> MemoryLinks:
        """Return new links at ``memory://<name>/``; without a name, at the next number.

        A name that was closed may be opened again: control and topics connections that were dialled there
        come back by themselves, as they do when a process starts again on the same port.

        Raises:
            LinkError: somebody listens there.
        """
        with self.lock:
            name = name if name is not None else str(next(self._numbers))
            if name in self._open:
                raise LinkError(f"the address {SCHEME}{name}/ is taken: close the node that has it, or use another")
            links = MemoryLinks(self, name)
            self._open[name] = links
            self._reconnect(lambda wire: wire.target in links.bound.control + links.bound.topics)
            return links

    def has(self, name: str) -> bool:
        """Say whether somebody listens at ``memory://<name>/``."""
        return name in self._open

    def cut(self, a: MemoryLinks | str, b: MemoryLinks | str, *, silent: bool = False) -> None:
        """Part two nodes: dials between them are unreachable until ``heal``.

        Their connections end and both are told. With ``silent`` nobody is told: what is sent from
        now on is lost without a word, as behind a cable that was pulled; a direct connection stays
        lost after ``heal``, a control or topics connection comes back then, and its old end is told
        after its new beginning.
        """
        with self.lock:
            self._cuts[_pair(a, b)] = silent
            for wire in self._between(_pair(a, b)):
                if silent:
                    wire.lost = True
                elif wire.link != "direct":
                    self._drop_subscriber(wire)
                else:
                    wire.ended = True
                    for number in (wire.number, wire.answering):
                        self._tell_end(*wire.other(number))

    def heal(self, a: MemoryLinks | str, b: MemoryLinks | str) -> None:
        """Join two nodes again; see ``cut``."""
        with self.lock:
            pair = _pair(a, b)
            self._cuts.pop(pair, None)
            for wire in self._between(pair):
                if wire.link != "direct" and wire.lost and wire.listener is not None:
                    wire.lost = False
                    # The half-open connection ends after its successor has begun [F 45].
                    heard = wire.heard
                    if not wire.ended:
                        wire.listener.hear_all(wire)
                    else:
                        wire.listener.audience.remove(wire)
                    wire.listener.lose_all(wire, heard)
            self._reconnect(lambda wire: frozenset((wire.dialler.name, _host(wire.target))) == pair)

    def freeze(self, node: MemoryLinks | str) -> None:
        """Stop what a node hears and says, as SIGSTOP does; everything arrives after ``thaw``.

        Its connections stay; in the real network heartbeats cut the control link after
        ``settings.silence``: ``cut`` does it here.
        """
        with self.lock:
            links = self._open[_name(node)]
            links.frozen = True

    def thaw(self, node: MemoryLinks | str) -> None:
        """Let a frozen node go on: what it said leaves, and what it missed arrives, in order."""
        with self.lock:
            self._open[_name(node)].thaw()

    # What follows is called by the links, under the lock.

    def find(self, dialler: MemoryLinks, link: LinkName, address: str) -> tuple[MemoryLinks | None, Reason]:
        listener = self._open.get(_host(address))
        if listener is None or address not in (*listener.bound.control, *listener.bound.topics, *listener.bound.direct):
            return None, "refused"
        if frozenset((dialler.name, listener.name)) in self._cuts:
            return None, "unreachable"
        if not address.endswith(f"/{link}"):
            return None, "not_meshmq"
        return listener, "refused"

    def leave(self, wire: Wire, links: MemoryLinks, number: Connection) -> None:
        """One end is gone for good; tell the other, if anything can still reach it."""
        cut = wire.listener is not None and _ends(wire, wire.listener) in self._cuts
        wire.ended = True
        if wire.link == "direct":
            if not cut:
                self._tell_end(*wire.other(number))
        elif not wire.lost:
            self._drop_subscriber(wire)

    def vacate(self, links: MemoryLinks) -> None:
        del self._open[links.name]
        for wire in links.audience:
            wire.listener = None
            wire.lost = False
        links.audience.clear()

    def _drop_subscriber(self, wire: Wire) -> None:
        if wire.listener is not None:
            wire.listener.audience.remove(wire)
            wire.listener.lose_all(wire, wire.heard)
            wire.listener = None

    def _tell_end(self, other: MemoryLinks | None, number: Connection) -> None:
        if other is not None and number in other.wires:
            if self.tells_ends:
                other.put(number, lambda decider, now: decider.ended(number, now), last=True)
            else:
                del other.wires[number]

    def _reconnect(self, wanted: Callable[[Wire], bool]) -> None:
        for node in list(self._open.values()):
            for wire in node.wires.values():
                if wire.link != "direct" and wire.listener is None and wire.target and wanted(wire):
                    listener, _ = self.find(node, wire.link, wire.target)
                    if listener is not None:
                        listener.accept(wire)

    def _between(self, pair: frozenset[str]) -> list[Wire]:
        found: list[Wire] = []
        for name in sorted(pair):
            node = self._open.get(name)
            for wire in (*node.wires.values(), *node.audience) if node is not None else ():
                if wire not in found and wire.listener is not None and _ends(wire, wire.listener) == pair:
                    found.append(wire)
        return found


def _name(node: MemoryLinks | str) -> str:
    return node if isinstance(node, str) else node.name


def _pair(a: MemoryLinks | str, b: MemoryLinks | str) -> frozenset[str]:
    return frozenset((_name(a), _name(b)))


def _ends(wire: Wire, listener: MemoryLinks) -> frozenset[str]:
    return frozenset((wire.dialler.name, listener.name))


def _host(address: str) -> str:
    return address.removeprefix(SCHEME).rpartition("/")[0] if address.startswith(SCHEME) else ""
