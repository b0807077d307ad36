"""Presence: finds peers, reads their cards, doubts the silent; joins the roster and the rumours.

Everything here happens on the control link. A peer is here while its card answered our dial and its
subscription to us stands; when the subscription goes we dial afresh to see: refused means gone at
once, silence means gone after ``grace``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Final

from meshmq.core.beats import FEW, Beats
from meshmq.core.doubts import TOLD_ONCE, Doubts, Host
from meshmq.core.roster import ONE_WAY_AFTER, Peer
from meshmq.core.rumours import Rumour
from meshmq.errors import ProtocolError
from meshmq.settings import Settings
from meshmq.wire.card import (
    CARD_TOPIC,
    OWN_BYTES,
    Card,
    Word,
    own_string,
    pack_beat,
    pack_card,
    pack_peers,
    pack_word,
    read_card,
    read_own_string,
    read_peers,
    read_stamp,
    unpack_body,
)
from meshmq.wire.frames import VersionMismatch

#: The goodbye of a peer comes on our own subscription, and may be read after the end of its subscription to us.
LAST_WORDS: Final = 0.02
CARD_PAUSE: Final = 0.2
PEERS_TOLD: Final = 1_000


class Presence(Doubts):
    """The control link of one node."""

    def __init__(self, card: Card, host: Host, settings: Settings, random: Random, now: float) -> None:
        super().__init__(card, host, settings, random)
        self.card = card
        #: With its body, packed once for all who call.
        self._packed: tuple[Card | None, bytes] = (None, b"")
        self._strings: dict[bytes, bytes] = {}
        self._card_at: float | None = None
        self._card_published = now - CARD_PAUSE
        self._beats = Beats(now, random)

    # -- ourselves ---------------------------------------------------------------------------------

    def change(self, card: Card, now: float, *, at_once: bool = False) -> None:
        """Take our new card; it is published at most five times a second."""
        self.card = card
        if at_once:
            self._publish_card(now)
        elif self._card_at is None:
            self._card_at = max(now, self._card_published + CARD_PAUSE)

    def _body(self) -> bytes:
        if self._packed[0] is not self.card:
            self._packed = self.card, pack_card(self.card)
        return self._packed[1]

    def _publish_card(self, now: float) -> None:
        self._card_at, self._card_published = None, now
        self._host.outputs.append(("publish", [CARD_TOPIC, self._body()]))

    def moved(self, control: tuple[str, ...], topics: tuple[str, ...], direct: tuple[str, ...]) -> None:
        """Take the addresses that we are bound to now; the caller publishes the card."""
        self.card = replace(self.card, control=control, topics=topics, direct=direct)
        self._own = own_string(self.card.node_id, control)
        self._host.say(logging.INFO, "meshmq.links", f"this machine's addresses changed: now at {', '.join(control)}")

    # -- finding -----------------------------------------------------------------------------------

    def found(
        self, addresses: tuple[str, ...], source: str, node_id: bytes | None, now: float, *, given: bool = False
    ) -> None:
        """Take a rumour of a peer at these control addresses."""
        if node_id == self.card.node_id or any(address in self.card.control for address in addresses):
            return
        if node_id is not None:
            known = self.roster.peers.get(node_id)
        else:
            known = next((peer for peer in self.roster.peers.values() if peer.address in addresses), None)
        if known is None or known.connection is None:
            self.rumours.add(addresses, source, node_id, now, given=given)
        elif given:
            self.rumours.remember(addresses, source)

    def claim(self, string: bytes, present: bool, now: float) -> None:
        """Learn that a peer subscribed to its own string here, or withdrew."""
        if string == CARD_TOPIC:
            return
        try:
            node_id, addresses = read_own_string(string)
        except ProtocolError:
            self.strangers += 1
            return
        if node_id == self.card.node_id:
            return
        full = self.roster.full(node_id) or len(self._strings) >= self._settings.peers
        if present and full and node_id not in self._strings:
            self.strangers += 1
            return
        first, gone = self.roster.claim(node_id, present)
        peer = self.roster.peers.get(node_id)
        if present:
            self._strings[node_id] = string
            self._host.outputs.append(("publish", [string, self._body()]))
            if first and peer is not None:
                self._introduce(peer)
            if peer is None and addresses:
                self.found(addresses, "its own call", node_id, now)
            elif peer is not None:
                peer.doubt_at = None
                if addresses and peer.address in peer.card.control and peer.address not in addresses:
                    # Whatever we have dialled of it leads nowhere any more, or to another.
                    peer.card = replace(peer.card, control=addresses)
                    self._gone(peer, "lost", "it has another address", now, silent=True)
                else:
                    self._ping(peer, now)
        elif gone:
            self._strings.pop(node_id, None)
            if peer is not None:
                peer.one_way_at = now + ONE_WAY_AFTER
                peer.doubt_at = now + LAST_WORDS
                self.roster.suspects[peer.id] = peer

    def _introduce(self, newcomer: Peer) -> None:
        """Tell a peer that calls us, and whose card we have, whom else we reached.

        Both, or of two who come at once neither would be told of the other: whose second word comes
        later finds the other on the roster. But two in one directory of this machine find each other there: a hundred
        neighbours told each other half a million times what they knew.
        """
        string, directory = self._strings.get(newcomer.id), newcomer.directory
        others = [
            (other.id, (other.address,) if other.address.startswith("tcp") else other.card.control)
            for other in self.roster.peers.values()
            if not (directory and other.address.startswith(directory))
            and other is not newcomer
            and other.connection is not None
        ]
        if string is not None and others:
            self._host.outputs.append(("publish", [string, pack_peers(others[:PEERS_TOLD])]))

    # -- hearing -----------------------------------------------------------------------------------

    def hear(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take a message published by the peer behind one of our control dials."""
        peer, rumour = self.roster.of(connection), self.rumours.of(connection)
        if peer is None and rumour is None:
            return
        try:
            # A connection from before we moved bears the string of then.
            if len(frames) != 2 or (frames[0] != CARD_TOPIC and frames[0][:OWN_BYTES] != self._own[:OWN_BYTES]):
                raise ProtocolError("a control message of another shape")
            word, fields = unpack_body(frames[1])
            if word is Word.CARD:
                self._hear_card(connection, read_card(fields), peer, rumour, now)
            elif peer is not None:
                self._hear_word(peer, word, fields, now)
        except VersionMismatch as error:
            self._turn_down(connection, "version", str(error.version), now)
        except ProtocolError:
            self._turn_down(connection, "not_meshmq", "", now)

    def _hear_card(self, connection: int, card: Card, peer: Peer | None, rumour: Rumour | None, now: float) -> None:
        if card.node_id == self.card.node_id:
            self.rumours.proved(connection)
            self._host.outputs.append(("hang_up", connection))
            return
        if card.mesh != self.card.mesh:
            self._turn_down(connection, "mesh", card.mesh, now)
            return
        if self.roster.full(card.node_id):
            self._turn_down(connection, "full", "", now)
            return
        known = self.roster.peers.get(card.node_id)
        if peer is not None and peer.id != card.node_id:
            self.roster.unbind(peer)
            self._gone(peer, "lost", "another incarnation took its address", now)
        source, address = (rumour.source, rumour.addresses[0]) if rumour else (peer.source if peer else "", "")
        if rumour is not None:
            address = rumour.reached or address
            self.rumours.proved(connection)
        if known is not None and known.connection not in (None, connection):
            # Two ways to one peer: the older stays, unless it is in doubt.
            spare = connection if known.verify_by is None else self.roster.unbind(known)
            self._host.outputs.append(("hang_up", spare))
            if spare == connection:
                return
        if card.state == "left":
            self._host.outputs.append(("hang_up", connection))
            if known is not None:
                self._gone(known, "left", "", now)
            return
        before = known.card if known else None
        fresh, new = self.roster.put(card, connection, source, address, now)
        if new:
            self._tell(logging.INFO, "joined", fresh.card, fresh.address, f"found by {source}")
            self._introduce(fresh)
            self._ping(fresh, now)
        elif before is not None and before.state != card.state:
            self._tell(logging.INFO, "changed", card, fresh.address, f"it is {card.state}")
        if new or before != card:
            self._host.peer_joined(fresh, now)
        self._host.roster_changed()

    def _hear_word(self, peer: Peer, word: Word, fields: dict[str, object], now: float) -> None:
        peer.heard_at = now
        string = self._strings.get(peer.id)
        if word is Word.PEERS:
            for node_id, addresses in read_peers(fields):
                if addresses and node_id not in self.roster.peers:
                    self.found(addresses, f"peer {peer.card.name}", node_id, now)
        elif word is Word.PONG:
            peer.round_trip = max(0.0, now - read_stamp(fields) / 1e6)
        elif string is None:
            return
        elif word is Word.BEAT and read_stamp(fields, "number") > peer.card.number:
            self._host.outputs.append(("publish", [string, pack_word(Word.ASK)]))
        elif word is Word.ASK:
            self._host.outputs.append(("publish", [string, self._body()]))
        elif word is Word.PING:
            self._host.outputs.append(("publish", [string, pack_word(Word.PONG, read_stamp(fields))]))

    def _ping(self, peer: Peer, now: float, *, at_once: bool = False) -> None:
        """Measure the way to a peer. Where many meet at once the next beat does: what is measured then is a crowd."""
        string = self._strings.get(peer.id)
        if string is not None and (at_once or len(self.roster.peers) <= FEW):
            self._host.outputs.append(("publish", [string, pack_word(Word.PING, int(now * 1e6))]))

    def heard_by_session(self, card: Card, now: float) -> None:
        """Take the card of a peer that only its session brings (it is one-way from its side)."""
        if card.mesh == self.card.mesh and not self.roster.full(card.node_id):
            peer, new = self.roster.put(card, None, "its session", "", now)
            if new:
                peer.one_way_at = None
                self._tell(logging.INFO, "joined", card, "", "found by its session")
                self._introduce(peer)
            self._host.peer_joined(peer, now)
            self._host.roster_changed()

    def session_ended(self, node_id: bytes, now: float, *, left: bool = False) -> None:
        """Learn that a session ended: a peer that had nothing else is gone, one that never claimed is doubted."""
        peer = self.roster.peers.get(node_id)
        if peer is not None and peer.connection is None:
            self._gone(peer, "left" if left else "lost", "its session ended", now)
        elif peer is not None and not self.roster.claims[node_id]:
            self._doubt(peer, now)

    # -- time --------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """The next moment at which ``tick`` has something to do."""
        moments = (self._beats.next_at, self._card_at, self.roster.deadline, self.rumours.deadline)
        return min(moment for moment in moments if moment is not None)

    def tick(self, now: float) -> None:
        """Publish what is due, dial, judge the doubted."""
        if self._card_at is not None and now >= self._card_at:
            self._publish_card(now)
        if now >= self._beats.next_at:
            self._beat(now)
        self._judge(now)

    def _beat(self, now: float) -> None:
        beats, peers = self._beats, self.roster.peers
        beats.strike(now, len(peers))
        self._host.outputs.append(("publish", [CARD_TOPIC, pack_beat(self.card.number)]))
        unclaimed = [peer for peer in peers.values() if not self.roster.claims[peer.id]]
        for peer in [peer for peer in unclaimed if peer.connection is not None]:
            # It has no subscription here that would go when it dies: its beats tell.
            if beats.silent(peer.heard_at, now):
                self._doubt(peer, now)
        if beats.minute(now):
            self._host.minute()
            if len(self._told) >= TOLD_ONCE:
                self._told.clear()
        for peer in peers.values():
            if beats.asks(peer.since, peer.round_trip, now):
                self._ping(peer, now, at_once=True)
