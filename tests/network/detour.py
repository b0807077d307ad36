"""A node whose direct connections (and topics, if told to) take a detour through proxies, its control links do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import meshmq
from meshmq.links.base import Bound, Connection, Decider, LinkName, Links
from meshmq.whereabouts import Place
from tests.network.proxy import Proxy


class DetouredLinks:
    """Links that dial a proxy wherever a peer's address of ``detoured`` was meant, and give a proxy's as their own."""

    def __init__(self, links: Links, detour: Callable[[Sequence[str]], str], detoured: Sequence[LinkName]) -> None:
        self._links, self._detour, self._detoured = links, detour, detoured
        bound = links.bound
        topics = (detour(bound.topics),) if "topics" in detoured else bound.topics
        self.bound = Bound(bound.control, (detour(bound.direct),), topics)

    @property
    def lanes(self) -> int:
        return self._links.lanes

    @property
    def deadline(self) -> float | None:
        return self._links.deadline

    def fileno(self) -> int:
        return self._links.fileno()

    def dial(
        self,
        connection: Connection,
        link: LinkName,
        addresses: Sequence[str],
        subscriptions: Sequence[bytes],
        now: float,
    ) -> None:
        if link in self._detoured:
            addresses = [self._detour(addresses)]
        self._links.dial(connection, link, addresses, subscriptions, now)

    def send(self, connection: Connection, frames: Sequence[bytes]) -> bool:
        return self._links.send(connection, frames)

    def hang_up(self, connection: Connection) -> None:
        self._links.hang_up(connection)

    def publish(self, frames: Sequence[bytes]) -> None:
        self._links.publish(frames)

    def spread(self, frames: Sequence[bytes]) -> None:
        self._links.spread(frames)

    def tune(self, connection: Connection, added: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        self._links.tune(connection, added, dropped)

    def step(self, decider: Decider, now: float) -> bool:
        return self._links.step(decider, now)

    def close(self, linger: float) -> None:
        self._links.close(linger)


class DetouredNode(meshmq.Node):
    """A ``Node`` to whose peers, and from them, every direct connection goes through a proxy of its own.

    With ``topics=True`` those of topics do, too; with a ``rate`` each proxy carries so many bytes a second.
    """

    def __init__(self, *arguments: Any, topics: bool = False, rate: float | None = None, **options: Any) -> None:
        super().__init__(*arguments, insecure=True, **options)
        self._rate = rate
        self._detoured: tuple[LinkName, ...] = ("direct", "topics") if topics else ("direct",)
        self.proxies: dict[str, Proxy] = {}

    def _open_place(self) -> Place:
        place = super()._open_place()
        return replace(place, links=DetouredLinks(place.links, self._detour, self._detoured))

    def _detour(self, addresses: Sequence[str]) -> str:
        """Return the address of the proxy in front of the TCP address among ``addresses``."""
        (address,) = [address for address in addresses if address.startswith("tcp://")]
        if address not in self.proxies:
            host, _, port = address.removeprefix("tcp://").rpartition(":")
            self.proxies[address] = Proxy((host, int(port)), rate=self._rate)
        return self.proxies[address].address

    def close(self, timeout: float | None = None) -> None:
        try:
            super().close(timeout)
        finally:
            for proxy in self.proxies.values():
                proxy.close()
            self.proxies.clear()
