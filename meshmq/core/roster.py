"""Who is here: peers as their own cards and their subscriptions to us tell it.

::

              card over our dial                      goodbye on its card
    (rumour) -------------------> up / draining -----------------------------> left
                                   |        ^
        its subscription is gone   v        | card answers a fresh dial, or its session does
                                  doubted --+--- refused, or ``grace`` without an answer --> lost
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Final, Literal

from meshmq.wire.card import Card

ONE_WAY_AFTER: Final = 3.0
EVENTS_KEPT: Final = 1_000

EventKind = Literal["joined", "changed", "left", "lost", "refused"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the roster: ``kind``, who, and the ``reason`` in words."""

    kind: EventKind
    name: str
    id: str
    address: str
    reason: str

    def __str__(self) -> str:
        who = self.name or self.address
        return f"{who} {self.kind}" + (f": {self.reason}" if self.reason else "")


@dataclass(slots=True)
class Peer:
    """One other node, as the participant keeps it."""

    card: Card
    source: str
    address: str
    since: float
    connection: int | None
    #: Whether a dial of ours ever reached it; if not, it is here by its session alone.
    reached: bool = False
    doubt_at: float | None = None
    verify_by: float | None = None
    one_way: bool = False
    one_way_at: float | None = None
    round_trip: float | None = None
    heard_at: float = 0.0
    #: When it published for the first time since we met; ``None`` before, and where it did so earlier.
    publishes_at: float | None = None

    @property
    def id(self) -> bytes:
        """The peer's id, random for every incarnation."""
        return self.card.node_id

    @property
    def directory(self) -> str:
        """The directory of this machine in which we reached it, with the separator; "" elsewhere."""
        return self.address[: self.address.rindex("/") + 1] if self.address.startswith("ipc://") else ""

    @property
    def present(self) -> bool:
        """Whether its control link stands in both directions: libzmq answers there even when no Python runs."""
        return self.connection is not None and self.doubt_at is None and self.verify_by is None


class Roster:
    """All peers whose card we hold, and the claims of those who subscribed to us."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.peers: dict[bytes, Peer] = {}
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.happened = 0
        self.claims: Counter[bytes] = Counter()
        #: Who may have to be judged at some moment; the others are not asked again and again.
        self.suspects: dict[bytes, Peer] = {}
        #: The names of those who went last: what they sent may still wait for a user.
        self.departed: dict[bytes, str] = {}
        self._by_connection: dict[int, bytes] = {}
        self.version = 0

    def of(self, connection: int) -> Peer | None:
        """Return the peer behind a control connection."""
        node_id = self._by_connection.get(connection)
        return self.peers.get(node_id) if node_id is not None else None

    def tell(self, kind: EventKind, *, card: Card | None = None, address: str = "", reason: str = "") -> Event:
        """Record an event."""
        name = card.name if card else ""
        event = Event(kind, name, card.node_id.hex() if card else "", address, reason)
        self.events.append(event)
        self.happened += 1
        self.version += 1
        return event

    def full(self, node_id: bytes) -> bool:
        """Whether there is no room for this peer."""
        return node_id not in self.peers and len(self.peers) >= self._most

    def put(self, card: Card, connection: int | None, source: str, address: str, now: float) -> tuple[Peer, bool]:
        """Take a peer's card; returns the peer and whether it is new."""
        peer = self.peers.get(card.node_id)
        new = peer is None
        if peer is None:
            waits = None if self.claims[card.node_id] else now + ONE_WAY_AFTER
            peer = self.peers[card.node_id] = Peer(card, source, address, now, connection, one_way_at=waits)
            self.suspects[peer.id] = peer
        elif card.number >= peer.card.number:
            if card.publishes and not peer.card.publishes:
                peer.publishes_at = now
            peer.card = card
        if connection is not None and peer.connection != connection:
            self.unbind(peer)
            peer.connection, peer.address = connection, address or peer.address
        if connection is not None:
            self._by_connection[connection] = peer.id
            peer.reached = True
        peer.verify_by, peer.heard_at = None, now
        self.version += 1
        return peer, new

    def unbind(self, peer: Peer) -> int | None:
        """Part a peer from its control connection; returns the connection."""
        connection, peer.connection = peer.connection, None
        if connection is not None:
            self._by_connection.pop(connection, None)
        return connection

    def bind(self, peer: Peer, connection: int) -> None:
        """Join a peer to a fresh control connection."""
        self.unbind(peer)
        peer.connection = connection
        self._by_connection[connection] = peer.id

    def claim(self, node_id: bytes, present: bool) -> tuple[bool, bool]:
        """Count a subscription; returns whether it is the first and whether the last is gone.

        Counted, because after a half-open reconnect the old one is withdrawn after the new came [F 45].
        """
        if present:
            self.claims[node_id] += 1
            peer = self.peers.get(node_id)
            if peer is not None:
                peer.one_way, peer.one_way_at = False, None
            return self.claims[node_id] == 1, False
        if self.claims[node_id] <= 1:
            gone = self.claims.pop(node_id, 0) == 1
            return False, gone
        self.claims[node_id] -= 1
        return False, False

    def remove(self, node_id: bytes) -> Peer | None:
        """Take a peer off the roster."""
        peer = self.peers.pop(node_id, None)
        self.suspects.pop(node_id, None)
        if peer is not None:
            self.version += 1
            self.departed[node_id] = peer.card.name
            if len(self.departed) > EVENTS_KEPT:
                del self.departed[next(iter(self.departed))]
        return peer

    def pullers(self, queue: str) -> list[Peer]:
        """Return the peers that pull a queue and take new work."""
        return [peer for peer in self.peers.values() if peer.card.state == "up" and queue in peer.card.pulls]

    def devices(self, queue: str) -> list[Peer]:
        """Return the devices that stand before those who pull a queue, and take new work."""
        return [peer for peer in self.peers.values() if peer.card.state == "up" and queue in peer.card.forwards.queues]

    @property
    def deadline(self) -> float | None:
        """The next moment at which a peer has to be judged; who need not be is no suspect any more."""
        first: float | None = None
        for peer in list(self.suspects.values()):
            moments = [when for when in (peer.doubt_at, peer.verify_by, peer.one_way_at) if when is not None]
            if not moments:
                del self.suspects[peer.id]
            elif first is None or min(moments) < first:
                first = min(moments)
        return first
