"""Presence: finds peers, reads their cards, doubts the silent; joins the roster and the rumours.

Everything here happens on the control link. A peer is here while its card answered our dial and its
subscription to us stands; when the subscription goes we dial afresh to see: refused means gone at
once, silence means gone after ``grace``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from random import Random
from typing import Final, Protocol

from meshmq.core.roster import ONE_WAY_AFTER, EventKind, Peer, Roster
from meshmq.core.rumours import ANSWER_LIMIT_REACHED, LONGEST_PAUSE_LOST, Rumour, Rumours
from meshmq.errors import ProtocolError
from meshmq.settings import Settings
from meshmq.wire.card import (
    CARD_TOPIC,
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

BEAT_EVERY: Final = 5.0
PING_EVERY_BEATS: Final = 6
MINUTE_BEATS: Final = 12
SILENT_BEATS: Final = 3
#: The goodbye of a peer comes on our own subscription, and may be read after the end of its subscription to us.
LAST_WORDS: Final = 0.02
CARD_PAUSE: Final = 0.2
PEERS_TOLD: Final = 1_000
TOLD_ONCE: Final = 1_000

#: What a refusal means in words, and what repairs it.
REASONS: Final[dict[str, str]] = {
    "refused": "nobody listens there; start the other node, or correct the address",
    "unreachable": "no answer; check the address, the network and the firewall",
    "unresolved": "the host name has no address; correct it, or give an IP address",
    "wrong_secret": "its secret is another one; give both nodes the same MESHMQ_SECRET",
    "no_secret": "it has no secret and this node has one; set MESHMQ_SECRET there too",
    "secret_needed": "it has a secret and this node has none; set MESHMQ_SECRET here too",
    "not_meshmq": "what answers there does not speak MeshMQ; correct the address",
    "mesh": "it belongs to mesh {detail!r}; start both with the same mesh= or MESHMQ_MESH",
    "version": "it speaks protocol version {detail} and this node another; install the same MeshMQ on both",
    "full": "the roster is full; raise Settings(peers=...)",
}


class Host(Protocol):
    """What presence asks of the participant it belongs to."""

    outputs: list[tuple[object, ...]]

    def next_connection(self) -> int:
        """Return a number for a connection that we dial."""

    def say(self, level: int, logger: str, sentence: str) -> None:
        """Log, once the lock is released."""

    def peer_joined(self, peer: Peer, now: float) -> None:
        """Learn that a peer came, or that its card changed."""

    def peer_doubted(self, peer: Peer, now: float) -> None:
        """Learn that a peer's control link fell silent."""

    def peer_one_way(self, peer: Peer, now: float) -> None:
        """Learn that a peer whose card we hold cannot dial us."""

    def peer_alive(self, node_id: bytes) -> bool:
        """Whether a session with the peer stands on a connection that answers."""

    def roster_changed(self) -> None:
        """Learn that somebody may wait for this."""

    def minute(self) -> None:
        """Learn that a minute has gone by."""


class Presence:
    """The control link of one node."""

    def __init__(self, card: Card, host: Host, settings: Settings, random: Random, now: float) -> None:
        self.card = card
        self.roster = Roster(settings.peers)
        self.rumours = Rumours(random)
        self._host, self._settings = host, settings
        self._own = own_string(card.node_id, card.control)
        self._strings: dict[bytes, bytes] = {}
        self._told: set[tuple[str, str]] = set()
        self._card_at: float | None = None
        self._card_published = now - CARD_PAUSE
        self._beat_at = now + BEAT_EVERY * (0.5 + random.random() / 2)
        self._beats = 0
        self.strangers = 0

    # -- ourselves -------------------------------------------------------------------------------

    def change(self, card: Card, now: float, *, at_once: bool = False) -> None:
        """Take our new card; it is published at most five times a second."""
        self.card = card
        if at_once:
            self._publish_card(now)
        elif self._card_at is None:
            self._card_at = max(now, self._card_published + CARD_PAUSE)

    def _publish_card(self, now: float) -> None:
        self._card_at, self._card_published = None, now
        self._host.outputs.append(("publish", [CARD_TOPIC, pack_card(self.card)]))

    # -- finding ---------------------------------------------------------------------------------

    def found(
        self, addresses: tuple[str, ...], source: str, node_id: bytes | None, now: float, *, given: bool = False
    ) -> None:
        """Take a rumour of a peer at these control addresses."""
        if node_id == self.card.node_id or any(address in self.card.control for address in addresses):
            return
        known = self.roster.peers.get(node_id) if node_id else None
        if known is None:
            known = next(
                (peer for peer in self.roster.peers.values() if any(a == peer.address for a in addresses)), None
            )
        if known is None or known.connection is None:
            self.rumours.add(addresses, source, node_id, now, given=given)
        elif given:
            self.rumours.remember(addresses, source)

    def claim(self, string: bytes, present: bool, now: float) -> None:
        """Learn that a peer subscribed to its own string here, or withdrew."""
        try:
            node_id, addresses = read_own_string(string)
        except ProtocolError:
            self.strangers += string != CARD_TOPIC
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
            self._host.outputs.append(("publish", [string, pack_card(self.card)]))
            if first and peer is not None:
                self._introduce(peer)
            if peer is None and addresses:
                self.found(addresses, "its own call", node_id, now)
            elif peer is not None:
                peer.doubt_at = None
                self._ping(peer, now)
        elif gone:
            self._strings.pop(node_id, None)
            if peer is not None:
                peer.one_way_at = now + ONE_WAY_AFTER
                peer.doubt_at = now + LAST_WORDS

    def _introduce(self, newcomer: Peer) -> None:
        """Tell a peer that calls us, and whose card we have, whom else we reached.

        Both, or of two who come at once neither would be told of the other: whose second word comes
        later finds the other on the roster.
        """
        string = self._strings.get(newcomer.id)
        others = [
            (other.id, (other.address,) if other.address.startswith("tcp") else other.card.control)
            for other in self.roster.peers.values()
            if other.id != newcomer.id and other.connection is not None
        ]
        if string is not None and others:
            self._host.outputs.append(("publish", [string, pack_peers(others[:PEERS_TOLD])]))

    def _dial(self, addresses: Sequence[str]) -> int:
        connection = self._host.next_connection()
        self._host.outputs.append(("dial", connection, "control", tuple(addresses), (CARD_TOPIC, self._own)))
        return connection

    # -- hearing ---------------------------------------------------------------------------------

    def hear(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take a message published by the peer behind one of our control dials."""
        peer, rumour = self.roster.of(connection), self.rumours.of(connection)
        if peer is None and rumour is None:
            return
        try:
            if len(frames) != 2 or frames[0] not in (CARD_TOPIC, self._own):
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
            self._host.outputs.append(("publish", [string, pack_card(self.card)]))
        elif word is Word.PING:
            self._host.outputs.append(("publish", [string, pack_word(Word.PONG, read_stamp(fields))]))

    def _ping(self, peer: Peer, now: float) -> None:
        string = self._strings.get(peer.id)
        if string is not None:
            self._host.outputs.append(("publish", [string, pack_word(Word.PING, int(now * 1e6))]))

    # -- refusals and doubts ---------------------------------------------------------------------

    def reached(self, connection: int, address: str, now: float) -> None:
        """Note which address of a dial answered."""
        peer, rumour = self.roster.of(connection), self.rumours.of(connection)
        if peer is not None:
            peer.address = address
            if peer.verify_by is not None:  # its sockets live; its card may take longer than ``grace``
                peer.verify_by = max(peer.verify_by, now + ANSWER_LIMIT_REACHED)
        elif rumour is not None:
            rumour.reached = address

    def refused(self, connection: int, reason: str, address: str, now: float) -> bool:
        """Learn that a control dial failed; whether it was one of ours."""
        peer = self.roster.of(connection)
        if peer is not None:
            self.roster.unbind(peer)
            if peer.verify_by is None:
                self._doubt(peer, now)
            elif reason == "refused" and not self._host.peer_alive(peer.id):
                self._gone(peer, "lost", "its process is gone", now)
            return True
        rumour = self.rumours.failed(connection, reason, now)
        if rumour is not None:
            lasting = reason not in ("refused", "unreachable")  # the others may just not be there yet
            if lasting or (rumour.given and rumour.failures == 3):
                self.tell_refused(reason, address or rumour.addresses[0])
        return rumour is not None

    def _turn_down(self, connection: int, reason: str, detail: str, now: float) -> None:
        peer, rumour = self.roster.of(connection), self.rumours.of(connection)
        address = rumour.addresses[0] if rumour else peer.address if peer else ""
        self._host.outputs.append(("hang_up", connection))
        self.rumours.failed(connection, reason, now)
        if peer is not None:
            self.roster.unbind(peer)
            self._doubt(peer, now)
        self.tell_refused(reason, address, detail)

    def tell_refused(self, reason: str, address: str, detail: str = "") -> None:
        """Tell that somebody was refused, once for each address and reason."""
        if (reason, address) in self._told:
            return
        if len(self._told) >= TOLD_ONCE:
            self.strangers += 1
            return  # somebody invents names; from the next minute on they are told again
        self._told.add((reason, address))
        sentence = REASONS.get(reason, reason).format(detail=detail)
        self._tell(logging.WARNING, "refused", None, address, sentence)

    def _doubt(self, peer: Peer, now: float) -> None:
        peer.doubt_at = None
        if peer.verify_by is not None:
            return
        old = self.roster.unbind(peer)
        if old is not None:
            self._host.outputs.append(("hang_up", old))
        peer.verify_by = now + self._settings.grace
        self.roster.bind(peer, self._dial(peer.card.control))
        self._host.peer_doubted(peer, now)

    def _gone(self, peer: Peer, kind: EventKind, reason: str, now: float, *, silent: bool = False) -> None:
        old = self.roster.unbind(peer)
        if old is not None:
            self._host.outputs.append(("hang_up", old))
        self.roster.remove(peer.id)
        self.rumours.revive(now)
        if silent or (kind == "lost" and self.roster.claims[peer.id]):
            # It may be cut off only, or its subscription says it lives: nobody else would dial it again.
            self.rumours.add(peer.card.control, peer.source, peer.id, now, longest=LONGEST_PAUSE_LOST)
        self._tell(logging.INFO, kind, peer.card, peer.address, reason)
        if kind == "lost":
            self._host.peer_doubted(peer, now)
        self._host.roster_changed()

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

    def session_ended(self, node_id: bytes, now: float) -> None:
        """Learn that a session ended: a peer that had nothing else is gone, one that never claimed is doubted."""
        peer = self.roster.peers.get(node_id)
        if peer is not None and peer.connection is None:
            self._gone(peer, "lost", "its session ended", now)
        elif peer is not None and not self.roster.claims[node_id]:
            self._doubt(peer, now)

    # -- time ------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """The next moment at which ``tick`` has something to do."""
        moments = (self._beat_at, self._card_at, self.roster.deadline, self.rumours.deadline)
        return min(moment for moment in moments if moment is not None)

    def tick(self, now: float) -> None:
        """Dial what is due, publish, judge the doubted."""
        if self._card_at is not None and now >= self._card_at:
            self._publish_card(now)
        if now >= self._beat_at:
            self._beat_at = now + BEAT_EVERY
            self._beats += 1
            self._host.outputs.append(("publish", [CARD_TOPIC, pack_beat(self.card.number)]))
            unclaimed = [peer for peer in self.roster.peers.values() if not self.roster.claims[peer.id]]
            for peer in [peer for peer in unclaimed if peer.connection is not None]:
                # It has no subscription here that would go when it dies: its beats tell.
                if now - peer.heard_at > SILENT_BEATS * BEAT_EVERY:
                    self._doubt(peer, now)
            if self._beats % MINUTE_BEATS == 0:
                self._host.minute()
                if len(self._told) >= TOLD_ONCE:
                    self._told.clear()
            if self._beats % PING_EVERY_BEATS == 0:
                for peer in self.roster.peers.values():
                    self._ping(peer, now)
        for connection in self.rumours.silent(now):
            self._host.outputs.append(("hang_up", connection))
            self.refused(connection, "unreachable", "", now)
        for rumour in self.rumours.due(now):
            self.rumours.dialled(rumour, self._dial(rumour.addresses), now)
        for peer in list(self.roster.peers.values()):
            if peer.doubt_at is not None and now >= peer.doubt_at:
                self._doubt(peer, now)
            if peer.verify_by is not None and now >= peer.verify_by:
                if self._host.peer_alive(peer.id):
                    peer.verify_by = None
                    self._doubt(peer, now)
                else:
                    self._gone(peer, "lost", f"no answer for {self._settings.grace:g} s", now, silent=True)
            elif peer.one_way_at is not None and now >= peer.one_way_at:
                peer.one_way, peer.one_way_at = True, None
                self._host.peer_one_way(peer, now)

    def _tell(self, level: int, kind: EventKind, card: Card | None, address: str, reason: str) -> None:
        event = self.roster.tell(kind, card=card, address=address, reason=reason)
        self._host.say(level, "meshmq.peers", str(event))
        self._host.roster_changed()
