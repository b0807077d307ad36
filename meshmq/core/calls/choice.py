"""Which server gets a call: least outstanding, then least recently used; by a key; by name.

Where devices stand before a service, they are its servers, but for a call with a key or for one node alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Final

from meshmq.core.calls.call import Asking
from meshmq.core.part import Ground
from meshmq.errors import AmbiguousPeer
from meshmq.names import RESERVED

#: So many servers that are gone are kept in the order of use.
SLACK: Final = 64
_HEX: Final = re.compile("[0-9a-f]{32}")


class Choice:
    """Who serves what, and how much each has of us. ``serves(name)`` says whether we serve a name ourselves."""

    def __init__(self, ground: Ground, serves: Callable[[str], bool], *, directly: bool = False) -> None:
        self._ground, self._serves = ground, serves
        #: Whether devices are passed over.
        self._directly = directly
        self._here: dict[str, list[bytes]] = {}
        self._before: dict[str, list[bytes]] = {}
        self._outstanding: dict[bytes, int] = {}
        self._used: dict[bytes, int] = {}
        self._uses = 0

    def forget(self) -> None:
        """Look at the roster anew: it has changed."""
        self._here.clear()
        self._before.clear()
        if len(self._used) > 2 * len(self._ground.roster) + SLACK:
            self._used = {peer: use for peer, use in self._used.items() if peer in self._ground.roster}

    def servers(self, service: str) -> list[bytes]:
        """Return all who serve a name and take new work, ourselves first."""
        here = self._here.get(service)
        if here is None:
            every = service.startswith(RESERVED)  # what every node answers stands on no card
            here = self._here[service] = [
                peer.id
                for peer in self._ground.roster.values()
                if every or (peer.card.state == "up" and service in peer.card.serves)
            ]
        return [self._ground.node_id, *here] if self._serves(service) else here

    def choose(self, asking: Asking, avoided: Collection[bytes]) -> bytes | None:
        """Return who gets a call, none of those avoided; ``None`` where nobody is left.

        Raises:
            AmbiguousPeer: it is for a name that several bear.
        """
        servers = self.servers(asking.service)
        if asking.to is not None:
            named = self.named(asking.to)
            servers = [peer for peer in servers if peer == named]
        elif servers and asking.key is None and not self._directly:
            servers = self._devices(asking.service) or servers
        found = [peer for peer in servers if peer not in avoided] if avoided else servers
        if not found:
            return None
        if asking.key is not None:
            key = asking.key
            return max(found, key=lambda peer: blake2b(key + peer, digest_size=16).digest())
        if len(found) == 1:
            return found[0]
        at_work = [peer for peer in found if not self._stalled(peer)]
        return min(at_work or found, key=lambda peer: (self._outstanding.get(peer, 0), self._used.get(peer, 0)))

    def _devices(self, service: str) -> list[bytes]:
        found = self._before.get(service)
        if found is None:
            found = self._before[service] = [
                peer.id
                for peer in self._ground.roster.values()
                if peer.card.state == "up" and service in peer.card.forwards.services
            ]
        return found

    def named(self, to: str) -> bytes | None:
        """Return the node of that name, or of that id in hex; ``None`` where none is here.

        Raises:
            AmbiguousPeer: several bear the name.
        """
        ground, here = self._ground, self._ground.roster
        node_id = bytes.fromhex(to) if _HEX.fullmatch(to) else b""
        if node_id in here or node_id == ground.node_id:
            return node_id
        bearers = [peer for peer in here.values() if peer.card.name == to]
        # One that drains is asked nothing but what every node answers; it hides none that took over its name.
        ids = [peer.id for peer in bearers if peer.card.state == "up"] or [peer.id for peer in bearers]
        if ground.name_of(ground.node_id) == to:
            ids.append(ground.node_id)
        if len(ids) > 1:
            raise AmbiguousPeer(to, tuple(peer.hex() for peer in ids))
        return ids[0] if ids else None

    def give(self, peer: bytes) -> None:
        """Note that a server is to have one call more."""
        self._uses += 1
        self._used[peer] = self._uses
        self._outstanding[peer] = self._outstanding.get(peer, 0) + 1

    def take_back(self, peer: bytes) -> None:
        """Note that a server has one call less."""
        left = self._outstanding.pop(peer) - 1
        if left:
            self._outstanding[peer] = left

    def _stalled(self, peer: bytes) -> bool:
        known = self._ground.roster.get(peer)
        return known is not None and known.card.stalled
