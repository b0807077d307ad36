"""Everything a node decides, without I/O: presence, sessions, outboxes and inboxes, joined.

``(connection, frames, now)`` comes in; sends, dials, hang-ups, publications, words and wake-ups go
out. It knows no sockets, threads, clocks, logging or randomness of its own. The engine of a real
node, the in-memory network and the simulator all drive this same object (``links.base.Decider``).
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Final

from meshmq.core.inbox import Hand, Inbox
from meshmq.core.outbox import Outbox
from meshmq.core.presence import Presence
from meshmq.core.roster import Peer
from meshmq.core.session import Session
from meshmq.errors import ConfigError, ProtocolError
from meshmq.names import short
from meshmq.settings import Settings
from meshmq.wire.batches import Headers, unpack_batch
from meshmq.wire.card import QUEUES_LIMIT, Card, State, pack_card, read_card, unpack_body
from meshmq.wire.frames import (
    HEAD_BYTES,
    Hello,
    Kind,
    Verdict,
    VersionMismatch,
    pack_bye,
    pack_head,
    pack_hello,
    pack_offer,
    unpack_acks,
    unpack_bye,
    unpack_grant,
    unpack_head,
    unpack_hello,
    unpack_offer,
    unpack_settle,
)

QUEUE_SHIFT: Final = 40


class Participant:
    """One node's decisions."""

    def __init__(
        self,
        *,
        node_id: bytes,
        name: str,
        mesh: str,
        settings: Settings,
        random: Random,
        control: tuple[str, ...],
        direct: tuple[str, ...],
        now: float,
    ) -> None:
        self.node_id, self.settings = node_id, settings
        self.outputs: list[tuple[object, ...]] = []
        self.woken: list[tuple[Hashable, int]] = []
        self.words: list[tuple[int, str, str]] = []
        self.connections: dict[int, Session] = {}
        self.sessions: dict[bytes, Session] = {}
        self.outboxes: dict[str, Outbox] = {}
        self.inboxes: dict[str, Inbox] = {}
        #: Of queues that we pulled once: what was granted and done in the sessions that stand still counts.
        self._shut: dict[str, Inbox] = {}
        self.counts: Counter[str] = Counter()
        self.opened_at = now
        self.progress_at = now
        #: Called about every minute, inside the lock: it must not wait.
        self.each_minute: Callable[[], object] = _nothing
        self._random = random
        self._origin = random.randbytes(16)
        card = Card(node_id, name, mesh, 1, "up", control, direct, ())
        self.presence = Presence(card, self, settings, random, now)
        self._last_connection = 0
        self._local: deque[tuple[Kind, Sequence[bytes]]] = deque()
        self._busy_inboxes: dict[str, None] = {}
        self._busy_outboxes: dict[str, None] = {}
        self._seeking = False
        self._stepped: float | None = None
        self._deadline: float | None = now
        self._working = False
        self._left = False

    def __repr__(self) -> str:
        card = self.presence.card
        return f"<Participant {card.name!r} {short(self.node_id)} in {card.mesh!r}, {card.state}>"

    @property
    def roster(self) -> dict[bytes, Peer]:
        """All peers whose card we hold, by id."""
        return self.presence.roster.peers

    # -- what users do ---------------------------------------------------------------------------

    def push(self, queue: str, body: bytes, buffers: Sequence[bytes], headers: Headers | None, now: float) -> int:
        """Put a job into a queue's outbox; returns its number.

        Raises:
            WouldBlock: the outbox is full.
        """
        outbox = self.outboxes.get(queue)
        if outbox is None:
            outbox = self._open_outbox(queue)
        outbox.clear_tray(now)
        number = outbox.add(body, buffers, headers, now)
        if outbox.depth == 1:
            self._seeking = True
        self._busy_outboxes[queue] = None
        self.work(now)
        due = outbox.set_tray(now)
        if due is not None:
            self._soon(due)
        return number

    def clear_trays(self, now: float, *, close: bool = False) -> None:
        """Take in what pushes have laid on their trays; with ``close`` nothing more may be laid there."""
        for outbox in self.outboxes.values():
            if close:
                outbox.tray_open = False  # before the last look: who lays a job there looks at it after
            if outbox.clear_tray(now):
                self._busy_outboxes[outbox.queue] = None

    def _open_outbox(self, queue: str) -> Outbox:
        base = (len(self.outboxes) << QUEUE_SHIFT) + 1
        outbox = self.outboxes[queue] = Outbox(queue, self._origin, base, self.settings, self._random)
        self._seeking = True
        return outbox

    def open_queue(self, queue: str, prefetch: int | None, now: float) -> Inbox:
        """Pull a queue from now on: it goes on our card.

        Raises:
            ConfigError: there is no room for one more on it.
        """
        inbox = self.inboxes.get(queue)
        if inbox is None:
            if len(self.inboxes) >= QUEUES_LIMIT:
                raise ConfigError(f"a node pulls at most {QUEUES_LIMIT:,} queues at once, and {queue!r} is one more")
            inbox = self._shut.pop(queue, None) or Inbox(queue, self.settings)
            inbox.pace.fixed = prefetch
            self.inboxes[queue] = inbox
            self._change_card(now, pulls=tuple(self.inboxes))
            self._seeking = True
            self.woken.append((("roster",), 1_000_000))
        return inbox

    def close_queue(self, queue: str, now: float) -> None:
        """Stop pulling a queue; nothing of it may be in hand any more."""
        inbox = self.inboxes.get(queue)
        if inbox is not None:
            inbox.forget_unbegun()
            self._answer(inbox)
            del self.inboxes[queue]
            if inbox.has_pushers:
                self._shut[queue] = inbox
            self._change_card(now, pulls=tuple(self.inboxes))
            self.work(now)

    def take(self, queue: str, consumer: Hashable, now: float, limit: int | None = None) -> Hand:
        """Give a consumer jobs of a queue we pull.

        Raises:
            WouldBlock: none is here; more were asked for.
        """
        self._busy_inboxes[queue] = None
        try:
            return self.inboxes[queue].take(consumer, now, limit=limit)
        finally:
            self.work(now)

    def look(self, queue: str, now: float) -> None:
        """Ask for jobs of a queue on behalf of somebody who only looks whether one is there."""
        self._with_inbox(queue, now, lambda inbox: inbox.look(now))

    def progress(self, queue: str, hand: Hand, now: float) -> None:
        """Tell pushers what a consumer has done of its hand."""
        self._with_inbox(queue, now, lambda inbox: inbox.progress(hand, now))

    def finish(self, queue: str, hand: Hand, now: float) -> None:
        """Note that a consumer is done with what it began of a hand."""
        self._with_inbox(queue, now, lambda inbox: inbox.finish(hand, now))

    def leave(self, queue: str, consumer: Hashable, now: float) -> None:
        """Take back what a consumer left without a word."""
        self._with_inbox(queue, now, lambda inbox: inbox.leave(consumer))

    def rest(self, queue: str, consumer: Hashable, now: float) -> None:
        """Note that a consumer stopped asking for now."""
        self._with_inbox(queue, now, lambda inbox: inbox.rest(consumer, now))

    def judge(
        self, queue: str, hand: Hand, index: int, verdict: Verdict | None, delay: float | None, now: float
    ) -> None:
        """Take an explicit ack (``None``) or nack of one job in hand."""
        self._with_inbox(queue, now, lambda inbox: inbox.say(hand, index, verdict, delay))

    def _with_inbox(self, queue: str, now: float, act: Callable[[Inbox], object]) -> None:
        inbox = self.inboxes.get(queue)
        if inbox is not None:
            act(inbox)
            self._busy_inboxes[queue] = None
            self.work(now)

    def drain(self, now: float) -> None:
        """Take no new work, and say so."""
        self._change_card(now, state="draining", at_once=True)

    def at_work(self) -> bool:
        """Whether a living worker has a job of ours in its hands."""
        return any(
            peer == self.node_id or self.peer_alive(peer)
            for outbox in self.outboxes.values()
            for peer in outbox.working
        )

    def owes(self, now: float) -> bool:
        """Whether jobs are unconfirmed, or peers have not yet received what we told them."""
        self.clear_trays(now)
        if any(outbox.depth for outbox in self.outboxes.values()):
            return True
        unsettled = [session for session in self.sessions.values() if session.live and not session.settled]
        for session in unsettled:
            session.hurry()
        return bool(unsettled)

    def farewell(self, now: float) -> None:
        """Say goodbye to everybody; nothing is sent after it."""
        self.work(now)
        self._left = True
        self._change_card(now, state="left", at_once=True)
        for session in list(self.sessions.values()):
            session.close(now)

    def _change_card(
        self, now: float, *, state: State | None = None, pulls: tuple[str, ...] | None = None, at_once: bool = False
    ) -> None:
        card = self.presence.card
        changed = replace(
            card, number=card.number + 1, state=state or card.state, pulls=card.pulls if pulls is None else pulls
        )
        self.presence.change(changed, now, at_once=at_once)
        for session in self.sessions.values():
            peer = self.roster.get(session.peer)
            if session.live and peer is not None and peer.one_way:
                session.put(Kind.CARD, pack_card(changed))
        self._soon(now)

    # -- what links tell -------------------------------------------------------------------------

    def receive(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take one message of a direct connection."""
        self._notice(now)
        session = self.connections.get(connection)
        taken = False
        try:
            kind, number, received = unpack_head(frames[0])
            body = frames[0][HEAD_BYTES:]
            if kind is Kind.HELLO:
                self._hear_hello(connection, session, unpack_hello(body), received, now)
            elif session is None:
                self._turn_away(connection, "unknown")  # a session that we have ended, if it is one of ours
                raise ProtocolError("a frame before HELLO")
            elif kind is Kind.BYE:
                session.bye(connection, *unpack_bye(body), now)
            elif session.accept(connection, kind, number, received, sum(map(len, frames)), now):
                taken = True
                if kind is Kind.CHUNK:
                    whole = session.assemble(memoryview(body), self.settings.message_bytes)
                    if whole is not None:
                        self._read(session.peer, *whole, now)
                else:
                    self._read(session.peer, kind, [body, *frames[1:]], now)
                if session.crowded:
                    session.expel("slow", now)
        except VersionMismatch as error:
            self._send_foreign_away(connection, session, now, taken=taken)
            self.presence.tell_refused("version", "a caller", str(error.version))
        except ProtocolError as error:
            self._send_foreign_away(connection, session, now, taken=taken)
            self.counts["foreign frames"] += 1
            if self.counts["foreign frames"] in (1, 10, 100, 1_000, 10_000):
                who = session.name if session else "a stranger"
                self.say(logging.WARNING, "meshmq.links", f"dropped a frame of {who}: {error}")
        self._deadline = now

    def _hear_hello(self, connection: int, session: Session | None, hello: Hello, received: int, now: float) -> None:
        if hello.mesh != self.presence.card.mesh:
            self.presence.tell_refused("mesh", hello.name, hello.mesh)
            self._turn_away(connection, "mesh")
        elif session is not None and connection % 2 == 0:
            session.answered(connection, hello, received, now)
        elif session is not None:
            raise ProtocolError("a second HELLO on one connection")
        elif hello.node_id == self.node_id or connection % 2 == 0:
            self.outputs.append(("hang_up", connection))
        elif hello.node_id not in self.sessions and len(self.sessions) >= self.settings.peers:
            self._turn_away(connection, "busy")
        else:
            self._session(hello.node_id).welcome(connection, hello, received, now)

    def _turn_away(self, connection: int, reason: str) -> None:
        self.outputs.append(("send", connection, [pack_head(Kind.BYE, 0, 0) + pack_bye(reason)]))
        self.outputs.append(("hang_up", connection))

    def _send_foreign_away(self, connection: int, session: Session | None, now: float, *, taken: bool) -> None:
        """Part with a connection that brought bytes which are none of ours.

        A frame that was *taken* would not come again in the same session, and what was in it is not
        done: the session ends, so that both ends know. Before that the connection alone is to blame.
        """
        if session is not None and taken:
            session.expel("protocol", now)
            return
        if session is not None:
            session.ended(connection, now)
        self.outputs.append(("hang_up", connection))

    def _read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        if kind is Kind.JOBS:
            batch = unpack_batch(frames)
            inbox = self._inbox(batch.queue)
            if inbox is None:
                raise ProtocolError(f"jobs of {batch.queue!r}, which nobody asked for")
            if inbox.receive(peer, batch, now):
                self.woken.append((("inbox", batch.queue), batch.count))
            self._answer(inbox)
            return
        body = frames[0]
        if kind is Kind.ACKS:
            acks = unpack_acks(body)
            outbox = self.outboxes.get(acks.queue)
            if outbox is not None:
                outbox.grant(peer, acks.jobs, acks.size)
                for origin, begun, ranges in acks.done:
                    if origin == self._origin:
                        self._freed(outbox, outbox.settle(peer, begun, ranges, now), now)
                self._busy_outboxes[acks.queue] = None
        elif kind is Kind.GRANT:
            queue, jobs, size = unpack_grant(body)
            outbox = self.outboxes.get(queue)
            if outbox is not None:
                outbox.grant(peer, jobs, size)
                self._busy_outboxes[queue] = None
        elif kind is Kind.OFFER:
            queue, backlog = unpack_offer(body)
            inbox = self._inbox(queue)
            if inbox is not None:
                inbox.offered(peer, backlog)
                self._busy_inboxes[queue] = None
        elif kind is Kind.SETTLE:
            queue, verdict, origin, ranges, delay = unpack_settle(body)
            outbox = self.outboxes.get(queue)
            if outbox is not None and origin == self._origin:
                depth = outbox.depth
                outbox.give_back(peer, verdict, ranges, delay, now)
                if verdict is Verdict.UNREADABLE:
                    self.say(logging.ERROR, "meshmq.jobs", f"a worker of {queue!r} cannot decode a job; it is dropped")
                self._freed(outbox, depth - outbox.depth, now)
                self._busy_outboxes[queue] = None
        elif kind is Kind.CARD:
            _, fields = unpack_body(body)
            card = read_card(fields)
            if card.node_id != peer:
                raise ProtocolError("a card of somebody else")
            self.presence.heard_by_session(card, now)

    def _inbox(self, queue: str) -> Inbox | None:
        """Return the inbox of a queue, also where it is shut: what comes then goes back."""
        return self.inboxes.get(queue) or self._shut.get(queue)

    def _freed(self, outbox: Outbox, count: int, now: float) -> None:
        if count:
            self.progress_at = now
            # Who waits for room is woken when there is some to speak of: else each ack wakes a pusher that
            # fills it up at once, and the two threads hand the interpreter to and fro.
            if outbox.depth <= self.settings.outbox_jobs * 3 // 4:
                self.woken.append((("outbox", outbox.queue), 1_000))
            self.woken.append((("progress",), 1_000))

    def hear(self, connection: int, frames: Sequence[bytes], now: float) -> None:
        """Take one message of a control link."""
        self._notice(now)
        self.presence.hear(connection, frames, now)
        self._deadline = now

    def claim(self, string: bytes, present: bool, now: float) -> None:
        """Learn of a subscription to our control link."""
        self.presence.claim(string, present, now)
        self._deadline = now

    def found(
        self, addresses: tuple[str, ...], source: str, node_id: bytes | None, now: float, *, given: bool = False
    ) -> None:
        """Take a rumour from discovery."""
        self.presence.found(addresses, source, node_id, now, given=given)
        self._deadline = now

    def reached(self, connection: int, address: str, now: float) -> None:
        """Learn which address of a dial answered."""
        self.presence.reached(connection, address, now)

    def refused(self, connection: int, reason: str, address: str, now: float) -> None:
        """Learn that a dial failed."""
        session = self.connections.get(connection)
        if session is not None:
            session.refused(connection, reason == "refused", now)
        else:
            self.presence.refused(connection, reason, address, now)
        self._deadline = now

    def ended(self, connection: int, now: float) -> None:
        """Learn that a connection is gone."""
        session = self.connections.get(connection)
        if session is not None:
            session.ended(connection, now)
        else:
            self.presence.refused(connection, "refused", "", now)
        self._deadline = now

    def turned_away(self, reason: str, address: str, now: float) -> None:
        """Learn that somebody from outside could not get in."""
        self.counts["turned away"] += 1
        self.presence.tell_refused(reason, address)

    # -- what sessions and presence ask ----------------------------------------------------------

    def next_connection(self) -> int:
        """Return a number for a connection that we dial: even ones are ours."""
        self._last_connection += 2
        return self._last_connection

    def dial_direct(self, session: Session, now: float) -> int | None:
        """Dial a peer's direct link."""
        if not session.addresses:
            return None
        connection = self.next_connection()
        self.outputs.append(("dial", connection, "direct", session.addresses, ()))
        return connection

    def hello(self, session_id: bytes, epoch: int, resumed: bool) -> bytes:
        """Return the body of our HELLO."""
        card = self.presence.card
        return pack_hello(Hello(self.node_id, card.name, card.mesh, session_id, epoch, resumed))

    def session_up(self, session: Session, now: float) -> None:
        """Begin to work with a peer."""
        peer = self.roster.get(session.peer)
        if peer is not None and peer.one_way:
            session.put(Kind.CARD, pack_card(self.presence.card))
        self._seeking = True

    def session_ended(self, session: Session, reason: str, now: float) -> None:
        """Take back what was with a peer."""
        clean = reason.endswith("left")
        for outbox in self.outboxes.values():
            lost = outbox.lose(session.peer, now, clean=clean)
            if lost and not self._left:  # what leaving gives up is told by whoever leaves
                words = f"{lost:,} jobs of {outbox.queue!r} come back from {session.name}: {reason}"
                self.say(logging.WARNING, "meshmq.jobs", words)
            self._busy_outboxes[outbox.queue] = None
        for inbox in (*self.inboxes.values(), *self._shut.values()):
            inbox.lost(session.peer)
        self._shut = {queue: inbox for queue, inbox in self._shut.items() if inbox.has_pushers}
        self.presence.session_ended(session.peer, now)
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
        session = self.sessions.get(node_id)
        return session is not None and session.answering

    def roster_changed(self) -> None:
        """Wake who waits for peers or events."""
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
            session = Session(self.node_id, node_id, self, self._random, self.settings.grace)
            self.sessions[node_id] = session
            peer = self.roster.get(node_id)
            if peer is not None:
                session.name, session.addresses = peer.card.name, peer.card.direct
        return session

    # -- work and time ---------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
        return self._deadline

    def _soon(self, moment: float) -> None:
        if self._deadline is None or moment < self._deadline:
            self._deadline = moment

    def _notice(self, now: float) -> None:
        """Notice that this process stood still: others hold us for lost, what we fetched is theirs."""
        if self._stepped is not None and now > self._stepped + self.settings.grace:
            for inbox in self.inboxes.values():
                inbox.forget_unbegun()
                self._busy_inboxes[inbox.queue] = None
        self._stepped = None

    def tick(self, now: float) -> None:
        """Do everything that is due and all work that is open."""
        self._notice(now)
        self.presence.tick(now)
        for session in list(self.sessions.values()):
            session.tick(now)
        for inbox in self.inboxes.values():
            inbox.tick(now)
            self._busy_inboxes[inbox.queue] = None
        for outbox in self.outboxes.values():
            outbox.wake(now)
            if outbox.clear_tray(now) or outbox.waiting:
                self._busy_outboxes[outbox.queue] = None
        self.work(now)
        self._prune()
        self._deadline = self._next_deadline(now)
        self._stepped = self._deadline

    def _next_deadline(self, now: float) -> float:
        moments: list[float | None] = [self.presence.deadline]
        moments += [session.deadline for session in self.sessions.values()]
        moments += [inbox.deadline for inbox in self.inboxes.values()]
        moments += [outbox.deadline for outbox in self.outboxes.values()]
        moments += [outbox.tray_due for outbox in self.outboxes.values() if outbox.tray_due > now]
        return min(moment for moment in moments if moment is not None)

    def _prune(self) -> None:
        """Forget sessions that are over, or never came about, with peers that are gone."""
        for session in [session for session in self.sessions.values() if not session.live]:
            if session.peer not in self.roster:
                session.give_up()
                del self.sessions[session.peer]

    def work(self, now: float) -> None:
        """Answer pushers, seek workers, send what may be sent."""
        if self._working:
            return
        self._working = True
        try:
            open_work = True
            while open_work:
                while self._seeking or self._busy_inboxes or self._busy_outboxes or self._local:
                    self._work_off(now)
                open_work = self._send_pending(now)
        finally:
            self._working = False

    def _work_off(self, now: float) -> None:
        if self._seeking:
            self._seeking = False
            for outbox in self.outboxes.values():
                if outbox.depth:
                    self._seek(outbox, now)
        busy, self._busy_inboxes = self._busy_inboxes, {}
        for queue in busy:
            inbox = self._inbox(queue)
            if inbox is not None:
                self._answer(inbox)
        outboxes, self._busy_outboxes = self._busy_outboxes, {}
        for queue in outboxes:
            self._pump(self.outboxes[queue], now)
        while self._local:
            kind, frames = self._local.popleft()
            self._read(self.node_id, kind, frames, now)

    def _send_pending(self, now: float) -> bool:
        """Send what sessions still hold; whether a large job has gone for which others of its queue had to wait."""
        gone = False
        for session in self.sessions.values():
            if session.pending:
                carried = session.carries()
                session.pump(now, _nothing)
                gone = gone or (carried and not session.carries())
                self._soon_of(session)
                if session.settled:
                    self.woken.append((("progress",), 1_000))
        if gone:
            self._busy_outboxes.update((queue, None) for queue, outbox in self.outboxes.items() if outbox.waiting)
        return bool(self._busy_outboxes)

    def _soon_of(self, session: Session) -> None:
        moment = session.deadline
        if moment is not None:
            self._soon(moment)

    def _put(self, peer: bytes, kind: Kind, body: bytes) -> None:
        if peer == self.node_id:
            self._local.append((kind, [body]))
            return
        session = self.sessions.get(peer)
        if session is not None and session.live:
            session.put(kind, body)

    def _answer(self, inbox: Inbox) -> None:
        for peer, kind, body in inbox.answers():
            self._put(peer, kind, body)
        moment = inbox.deadline
        if moment is not None:
            self._soon(moment)

    def _seek(self, outbox: Outbox, now: float) -> None:
        """Open a way to every worker of a queue that has jobs."""
        if outbox.queue in self.inboxes:
            self._offer(outbox, self.node_id)
        for peer in self.presence.roster.pullers(outbox.queue):
            session = self._session(peer.id)
            if session.live:
                self._offer(outbox, peer.id)
            else:
                session.want(now)
                self._soon(now)

    def _offer(self, outbox: Outbox, peer: bytes) -> None:
        route = outbox.open(peer)
        if route.told_backlog < 0 or (outbox.waiting and route.free <= 0 and not route.told_backlog):
            route.told_backlog = outbox.waiting
            self._put(peer, Kind.OFFER, pack_offer(outbox.queue, outbox.waiting))

    def _pump(self, outbox: Outbox, now: float) -> None:
        room = partial(self._has_room, outbox.queue)
        while (route := outbox.best(room)) is not None:
            if route.peer == self.node_id:
                self._local.append((Kind.JOBS, outbox.next_batch(route, now)))
                continue
            session = self.sessions[route.peer]
            session.pump(now, partial(self._next_jobs, outbox, route.peer, now), outbox.queue)
            self._soon_of(session)
        if outbox.waiting:
            for route in outbox.routes.values():
                self._offer(outbox, route.peer)
        if outbox.deadline is not None:
            self._soon(outbox.deadline)

    def _next_jobs(self, outbox: Outbox, peer: bytes, now: float) -> tuple[Kind, Sequence[bytes]] | None:
        route = outbox.best(partial(self._has_room, outbox.queue))
        if route is None or route.peer != peer:
            return None
        return Kind.JOBS, outbox.next_batch(route, now)

    def _has_room(self, queue: str, peer: bytes) -> bool:
        if peer == self.node_id:
            return True
        session = self.sessions.get(peer)
        return session is not None and session.room and not session.carries(queue)


def _nothing() -> None:
    return None
