"""Doubts: dials that fail, peers that fall silent, and when either is refused, lost or gone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from random import Random
from typing import Final, Protocol

from meshmq.core.roster import ONE_WAY_AFTER, EventKind, Peer, Roster
from meshmq.core.rumours import ANSWER_LIMIT_REACHED, AT_ONCE_LEAST, LONGEST_PAUSE_LOST, Rumours
from meshmq.settings import Settings
from meshmq.wire.card import (
    CARD_TOPIC,
    Card,
    own_string,
)

TOLD_ONCE: Final = 1_000
#: Who looks so much later than it wanted has not been running: the fault may be its own.
STOOD_STILL: Final = 0.25

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


class Doubts:
    """The roster and the rumours of a node, and what becomes of those that cannot be reached."""

    def __init__(self, card: Card, host: Host, settings: Settings, random: Random) -> None:
        self.roster = Roster(settings.peers)
        self.rumours = Rumours(random)
        self.strangers = 0
        self._host, self._settings = host, settings
        self._own = own_string(card.node_id, card.control)
        self._told: set[tuple[str, str]] = set()

    def _dial(self, addresses: Sequence[str]) -> int:
        connection = self._host.next_connection()
        self._host.outputs.append(("dial", connection, "control", tuple(addresses), (CARD_TOPIC, self._own)))
        return connection

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
        if not peer.reached:
            self._host.peer_doubted(peer, now)  # no dial would tell: its session has to
            return
        if peer.verify_by is not None:
            return
        old = self.roster.unbind(peer)
        if old is not None:
            self._host.outputs.append(("hang_up", old))
        peer.verify_by = now + self._settings.grace
        self.roster.suspects[peer.id] = peer
        self.roster.bind(peer, self._dial(peer.card.control))
        self._host.peer_doubted(peer, now)

    def _gone(self, peer: Peer, kind: EventKind, reason: str, now: float, *, silent: bool = False) -> None:
        old = self.roster.unbind(peer)
        if old is not None:
            self._host.outputs.append(("hang_up", old))
        self.roster.remove(peer.id)
        self.rumours.revive(now)
        if silent or (kind == "lost" and (peer.one_way or self.roster.claims[peer.id])):
            # It may be cut off only, cannot dial us, or subscribes and so lives: nobody else would dial it again.
            self.rumours.add(peer.card.control, peer.source, peer.id, now, longest=LONGEST_PAUSE_LOST)
        self._tell(logging.INFO, kind, peer.card, peer.address, reason)
        if kind == "lost":
            self._host.peer_doubted(peer, now)
        self._host.roster_changed()

    def _judge(self, now: float) -> None:
        """Dial what is due, and decide about who is in doubt."""
        for connection in self.rumours.silent(now):
            self._host.outputs.append(("hang_up", connection))
            self.refused(connection, "unreachable", "", now)
        for rumour in self.rumours.due(now):
            self.rumours.dialled(rumour, self._dial(rumour.addresses), now)
        for peer in list(self.roster.suspects.values()):
            if peer.doubt_at is not None and now >= peer.doubt_at:
                self._doubt(peer, now)
            if peer.verify_by is not None and now >= peer.verify_by:
                if now > peer.verify_by + STOOD_STILL:  # it is we who are late: its answer may wait in our sockets
                    peer.verify_by = now + self._settings.grace
                elif self._host.peer_alive(peer.id):
                    peer.verify_by = None
                    self._doubt(peer, now)
                else:
                    self._gone(peer, "lost", f"no answer for {self._settings.grace:g} s", now, silent=True)
            elif peer.one_way_at is not None and now >= peer.one_way_at:
                if self.rumours.unanswered > AT_ONCE_LEAST:  # where many meet at once it may be as busy as we are
                    peer.one_way_at = now + ONE_WAY_AFTER
                    continue
                peer.one_way, peer.one_way_at = True, None
                self._host.peer_one_way(peer, now)

    def _tell(self, level: int, kind: EventKind, card: Card | None, address: str, reason: str) -> None:
        event = self.roster.tell(kind, card=card, address=address, reason=reason)
        self._host.say(level, "meshmq.peers", str(event))
        self._host.roster_changed()
