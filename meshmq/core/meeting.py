"""Whom a node meets: connections, the sessions above them, and presence; what sessions bring is not known here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from random import Random

from meshmq.core.line import Line
from meshmq.core.presence import Presence
from meshmq.core.roster import Peer
from meshmq.core.session import Session
from meshmq.settings import Settings
from meshmq.wire.card import Card, pack_card
from meshmq.wire.frames import (
    Hello,
    Kind,
    pack_hello,
)


class Meeting:
    """A node among its peers. A hook reads what comes; ``_seeking`` says that somebody new may be of use."""

    def __init__(self, card: Card, settings: Settings, random: Random, now: float) -> None:
        self.node_id, self.settings = card.node_id, settings
        self.outputs: list[tuple[object, ...]] = []
        self.woken: list[tuple[Hashable, int]] = []
        self.words: list[tuple[int, str, str]] = []
        self.connections: dict[int, Session] = {}
        self.sessions: dict[bytes, Session] = {}
        self.laden: dict[Line, None] = {}
        self.eased = False
        self.counts: Counter[str] = Counter()
        self.opened_at = now
        #: Called about every minute, inside the lock: it must not wait.
        self.each_minute: Callable[[], object] = lambda: None
        self.random = random
        self.presence = Presence(card, self, settings, random, now)
        #: All peers whose card we hold, by id.
        self.roster: dict[bytes, Peer] = self.presence.roster.peers
        self._last_connection = 0
        self._seeking = False
        #: The next moment at which ``tick`` has something to do.
        self.deadline: float | None = now

    # -- what links tell ---------------------------------------------------------------------------

    def receive(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take one message of a direct connection."""
        raise NotImplementedError

    def hear(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take one message of a control link."""
        self._notice(now)
        self.presence.hear(connection, frames, now)
        self.deadline = now

    def overhear(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take one message of a topics link."""
        raise NotImplementedError

    def tuned(self, string: bytes, present: bool, now: float) -> None:
        """Learn of a subscription to our topics link."""
        raise NotImplementedError

    def claim(self, string: bytes, present: bool, now: float) -> None:
        """Learn of a subscription to our control link."""
        self._notice(now)
        self.presence.claim(string, present, now)
        self.deadline = now

    def found(
        self, addresses: tuple[str, ...], source: str, node_id: bytes | None, now: float, *, given: bool = False
    ) -> None:
        """Take a rumour from discovery."""
        self._notice(now)
        self.presence.found(addresses, source, node_id, now, given=given)
        self.deadline = now

    def reached(self, connection: int, address: str, now: float) -> None:
        """Learn which address of a dial answered."""
        self.presence.reached(connection, address, now)

    def refused(self, connection: int, reason: str, address: str, now: float) -> None:
        """Learn that a dial failed."""
        self._notice(now)
        session = self.connections.get(connection)
        if session is not None:
            session.refused(connection, reason == "refused", now)
        else:
            self.presence.refused(connection, reason, address, now)
        self.deadline = now

    def ended(self, connection: int, now: float) -> None:
        """Learn that a connection is gone."""
        self._notice(now)
        session = self.connections.get(connection)
        if session is not None:
            session.ended(connection, now)
        else:
            self.presence.refused(connection, "refused", "", now)
        self.deadline = now

    def turned_away(self, reason: str, address: str, now: float) -> None:
        """Learn that somebody from outside could not get in; the links have counted it."""
        self.presence.tell_refused(reason, address)

    # -- what sessions and presence ask ------------------------------------------------------------

    def next_connection(self) -> int:
        """Return a number for a connection that we dial: even ones are ours."""
        self._last_connection += 2
        return self._last_connection

    def dial_direct(self, session: Session, now: float) -> int | None:
        """Dial a peer's direct link."""
        peer = self.roster.get(session.peer)
        if not session.addresses or (peer is not None and not peer.reached):
            return None  # one that only its session brought cannot be dialled: it dials us
        connection = self.next_connection()
        self.outputs.append(("dial", connection, "direct", session.addresses, ()))
        return connection

    def hello(self, session_id: bytes, epoch: int, resumed: bool, dial: int) -> bytes:
        """Return the body of our HELLO."""
        card = self.presence.card
        return pack_hello(Hello(self.node_id, card.name, card.mesh, session_id, epoch, resumed, dial))

    def session_up(self, session: Session, now: float) -> None:
        """Begin to work with a peer."""
        peer = self.roster.get(session.peer)
        if peer is not None and peer.one_way:
            session.put(Kind.CARD, pack_card(self.presence.card))
        self._seeking = True

    def session_ended(self, session: Session, reason: str, now: float) -> None:
        """Look what the end of a session says of its peer."""
        self.presence.session_ended(session.peer, now, left=reason == "the peer said left")
        peer = self.roster.get(session.peer)
        if peer is not None and peer.one_way:
            session.want(now)  # it knows of us by our session alone
        self._seeking = True

    def peer_joined(self, peer: Peer, now: float) -> None:
        """Look whether a new card offers what we seek."""
        session = self.sessions.get(peer.id)
        if session is not None:
            session.name, session.addresses = peer.card.name, peer.card.direct
        self._seeking = True

    def peer_doubted(self, peer: Peer, now: float) -> None:
        """See whether the session of a silent peer still answers."""
        session = self.sessions.get(peer.id)
        if session is not None:
            session.suspect(now)

    def peer_one_way(self, peer: Peer, now: float) -> None:
        """Open the session to a peer that cannot dial us."""
        session = self._session(peer.id)
        session.want(now)
        if session.live:
            session.put(Kind.CARD, pack_card(self.presence.card))

    def peer_alive(self, node_id: bytes) -> bool:
        """Whether the session with a peer answers."""
        return (session := self.sessions.get(node_id)) is not None and session.answering

    def peer_present(self, node_id: bytes) -> bool:
        """Whether the process of a peer is there."""
        return node_id in self.roster and self.roster[node_id].present

    def roster_changed(self) -> None:
        """Wake who waits for peers or events; who is gone may have been the worker of a key."""
        self._seeking = True
        self.woken.append((("roster",), 1_000_000))

    def say(self, level: int, logger: str, sentence: str) -> None:
        """Log, once the lock is released."""
        self.words.append((level, logger, sentence))

    def minute(self) -> None:
        """Have discovery announce again."""
        self.each_minute()

    def _session(self, node_id: bytes) -> Session:
        session = self.sessions.get(node_id)
        if session is None:
            session = Session(self.node_id, node_id, self, self.random, self.settings.grace)
            self.sessions[node_id] = session
            peer = self.roster.get(node_id)
            if peer is not None:
                session.name, session.addresses = peer.card.name, peer.card.direct
        return session

    # -- time --------------------------------------------------------------------------------------

    def soon(self, moment: float) -> None:
        """Have ``tick`` called at that moment at the latest."""
        if self.deadline is None or moment < self.deadline:
            self.deadline = moment

    def _soon_of(self, line: Line) -> None:
        moment = line.deadline
        if moment is not None and (self.deadline is None or moment < self.deadline):
            self.deadline = moment

    # -- what those who know more make of it -------------------------------------------------------

    def _notice(self, now: float) -> None:
        """Notice how long this process stood still."""
        raise NotImplementedError
