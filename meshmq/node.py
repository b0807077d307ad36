"""What both faces share: identity, engine, roster, discovery, and every call that does not wait."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Final, Protocol, TypeVar

from meshmq.codecs.base import Codec
from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.consumer import Consumer, check_limit
from meshmq.core.outbox import Outbox
from meshmq.core.participant import Participant
from meshmq.core.roster import Event
from meshmq.discovery.addresses import GivenAddresses
from meshmq.discovery.base import Announcement, Discovery, Found
from meshmq.discovery.interfaces import parse_interfaces, usable_interfaces
from meshmq.discovery.same_host import SameHost
from meshmq.discovery.zeroconf import ZeroconfDiscovery
from meshmq.drivers.base import Driver
from meshmq.drivers.keeper import keeper
from meshmq.errors import ClosedError, ConfigError, EncodeError, NoPeersError, Undelivered, WouldBlock
from meshmq.links.authenticator import authenticator
from meshmq.links.base import Links
from meshmq.links.engine import Engine
from meshmq.links.interrupts import install_signals, shield
from meshmq.links.security import derive, load_secret
from meshmq.links.sockets import ZmqLinks
from meshmq.names import NodeId, check_name
from meshmq.seeing import PeerView, peer_views, statistics
from meshmq.settings import Settings
from meshmq.waiting import Wish
from meshmq.wire.batches import Headers, check_headers

_logger: Final = logging.getLogger("meshmq.node")
_OPEN_ALONE: Final = "open to this user on this machine only; to meet others: meshmq keys new"
_told: set[str] = set()
ResultT = TypeVar("ResultT")


class Closable(Protocol):
    """A receiver, as its node holds it."""

    def close(self) -> None:
        """Stop pulling."""


class BaseNode:
    """One participant of a mesh: what ``Node`` and ``AsyncNode`` have in common.

    Every argument is optional; what is not given comes from the environment (``MESHMQ_NAME``,
    ``MESHMQ_MESH``, ``MESHMQ_SECRET`` or ``MESHMQ_SECRET_FILE``, ``MESHMQ_PEERS``, ``MESHMQ_PORT``),
    then from the default.

    Raises:
        ConfigError: an argument or a variable cannot be used.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        mesh: str | None = None,
        secret: str | None = None,
        insecure: bool = False,
        peers: Sequence[str] = (),
        port: int | None = None,
        journal: str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
    ) -> None:
        environ = os.environ
        self.name: str = check_name("node", name) if name else _variable("MESHMQ_NAME", _node_name) or _program()
        self.mesh: str = check_name("mesh", mesh) if mesh else _variable("MESHMQ_MESH", _mesh_name) or "default"
        self.settings: Settings = settings or Settings()
        if journal is not None or environ.get("MESHMQ_JOURNAL"):
            raise ConfigError("a journal is not there yet: leave journal= and MESHMQ_JOURNAL out")
        self._secret = load_secret(secret, environ)
        self._insecure = bool(insecure)
        self._given = GivenAddresses(peers) if peers else _variable("MESHMQ_PEERS", _addresses)
        self._port = _port(port) if port is not None else _variable("MESHMQ_PORT", _port)
        self._interfaces = _variable("MESHMQ_INTERFACES", parse_interfaces) or ()
        self._codec: Codec = MsgpackCodec(limit=self.settings.message_bytes)
        self._id = NodeId(secrets.token_bytes(16))
        self._engine: Engine | None = None
        self._dropped_by_links: Mapping[str, int] = {}
        self._participant: Participant | None = None
        self._driver: Driver | None = None
        self._discoveries: list[Discovery] = []
        self._names: set[str] = set()
        self._quick: dict[str, Outbox] = {}
        self._now: Callable[[], float] = time.monotonic
        self._receivers: dict[str, set[Closable]] = {}
        self._consumers: weakref.WeakSet[Consumer] = weakref.WeakSet()
        self._opening = threading.RLock()
        self._leaving = False
        self._closed = False
        self._left: Undelivered | None = None
        self._looked = False
        self._place: Any = None
        self._take_back: Callable[[], None] = _nothing
        _nodes.add(self)

    def __repr__(self) -> str:
        kind = type(self).__name__
        if self._participant is None:
            return f"<{kind} {self.name!r} not opened>" if not self._closed else f"<{kind} {self.name!r} closed>"
        if self._closed or (self._engine is not None and self._engine.closed):
            return f"<{kind} {self.name!r} closed>"
        count = len(self._participant.roster)
        return f"<{kind} {self.name!r} in {self.mesh!r}, {count} {'peer' if count == 1 else 'peers'}>"

    @property
    def id(self) -> str:
        """The node's id in hex, random for every incarnation."""
        return self._id.hex()

    @property
    def closed(self) -> bool:
        """Whether the node was closed, or broke."""
        return self._closed or (self._engine is not None and self._engine.closed)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the node's control link is bound; empty until it is open."""
        return self._participant.presence.card.control if self._participant is not None else ()

    # -- opening and closing ---------------------------------------------------------------------

    def _opened(self) -> tuple[Engine, Participant]:
        """Return the engine and the participant; opens the node at its first use."""
        if self._engine is None or self._participant is None:
            self._open()
        assert self._engine is not None
        assert self._participant is not None
        if self._closed or self._engine.forked:
            self._engine.check()
            raise ClosedError(f"node {self.name!r} is closed")
        return self._engine, self._participant

    def _open(self) -> None:
        with self._opening:
            if self._closed:
                raise ClosedError(f"node {self.name!r} is closed")
            if self._engine is not None:
                return
            install_signals()
            with ExitStack() as undo:
                self._open_all(undo)
                undo.pop_all()

    def _check_fork(self) -> None:
        if self._engine is not None and self._engine.forked:
            self._engine.check()

    def _forked(self) -> None:
        """Know in a child that what is open is the parent's; not opened yet, be another incarnation."""
        self._quick = {}  # what lies there would never be looked at
        for consumer in self._consumers:
            consumer.left = True  # what it has in hand is the parent's to do
        self._opening = threading.RLock()  # a thread of the parent may hold the other for ever
        if self._engine is None and self._place is None:
            self._id = NodeId(secrets.token_bytes(16))

    def _open_all(self, undo: ExitStack) -> None:
        links, discoveries, interfaces, clock = self._open_links()
        undo.callback(links.close, 0.0)
        for discovery in discoveries:
            undo.callback(discovery.close)
        participant = Participant(
            node_id=self._id,
            name=self.name,
            mesh=self.mesh,
            settings=self.settings,
            random=Random(SystemRandom().getrandbits(128)),
            control=links.bound.control,
            direct=links.bound.direct,
            now=clock(),
        )
        engine = Engine(participant, links, clock=clock, name=self.name)
        self._discoveries = discoveries
        self._dropped_by_links = getattr(links, "counts", {})
        participant.each_minute = self._refresh
        driver = self._make_driver(engine)
        driver.attach()
        undo.callback(self._forget_engine)
        self._participant, self._driver, self._engine = participant, driver, engine
        self._now = clock
        self._discover(discoveries, links, interfaces)
        self._arrange_exit()

    def _forget_engine(self) -> None:
        engine, driver = self._engine, self._driver
        self._participant = self._driver = self._engine = None
        if engine is not None and driver is not None:
            engine.close(0.0)
            driver.detach()

    def _open_links(self) -> tuple[Links, list[Discovery], tuple[str, ...], Callable[[], float]]:
        if self._place is not None:
            return self._place.links, [self._place.discovery], (), self._place.clock
        keys = derive(self._secret) if self._secret is not None else None
        interfaces: tuple[str, ...] = ()
        if keys is not None or self._insecure:
            interfaces = self._interfaces or usable_interfaces() or ("127.0.0.1",)
        guard = authenticator()
        keeper().attach_service(guard)
        same_host = SameHost(self.mesh, self._id)
        try:
            links = ZmqLinks(
                ipc={"control": same_host.endpoint("control"), "direct": same_host.endpoint("direct")},
                tcp=interfaces,
                port=self._port,
                keys=keys,
                authenticator=guard,
                message_bytes=self.settings.message_bytes,
                heartbeat=self.settings.heartbeat,
                silence=self.settings.silence,
            )
        except BaseException:
            same_host.close()
            raise
        discoveries: list[Discovery] = [same_host]
        if self._given is not None:
            discoveries.append(self._given)
        if interfaces:
            discoveries.append(ZeroconfDiscovery(interfaces, self._stranger))
        elif _once("alone"):
            _logger.info(_OPEN_ALONE)
        if self._insecure and keys is None and _once("insecure"):
            _logger.warning("insecure=True: everybody on the network can read, push and pull here, in clear")
        return links, discoveries, interfaces, time.monotonic

    def _discover(self, discoveries: Sequence[Discovery], links: Links, interfaces: tuple[str, ...]) -> None:
        tag = derive(self._secret).tag if self._secret is not None else b""
        tcp = [address for address in links.bound.control if address.startswith("tcp://")]
        port = int(tcp[0].rpartition(":")[2]) if tcp else None
        announcement = Announcement(self._id, self.name, self.mesh, tag, port, interfaces)
        for discovery in discoveries:
            discovery.start(announcement, self._found)
        # What they have found is posted, too: only after it are there rumours to wait for.
        engine = self._engine
        assert engine is not None
        engine.post(self._note_looked)

    def _note_looked(self) -> None:
        self._looked = True

    def _refresh(self) -> None:
        for discovery in self._discoveries:
            discovery.refresh()

    def _found(self, found: Found) -> None:
        engine, participant = self._engine, self._participant
        if engine is not None and participant is not None:
            given = found.source == "addresses"
            work = partial(participant.found, found.addresses, found.source, found.node_id, given=given)
            engine.post(lambda: work(now=engine.now()))

    def _stranger(self, name: str, address: str, tag: bytes) -> None:
        engine, participant = self._engine, self._participant
        if engine is not None and participant is not None:
            reason = "wrong_secret" if tag and self._secret else "secret_needed" if tag else "no_secret"
            engine.post(lambda: participant.presence.tell_refused(reason, f"{name} at {address}"))

    def _arrange_exit(self) -> None:
        """Have the interpreter close the node at exit, if nobody did."""

    def _make_driver(self, engine: Engine) -> Driver:
        raise AssertionError("a face says who drives it")

    def _may_leave(self) -> bool:
        """Whether there is something to close, and it is ours."""
        with self._opening:
            if self._engine is None or self._engine.forked:
                self._closed = True
            return not self._closed

    def _begin_to_leave(self) -> None:
        """Take nothing more: receivers are closed, pushes raise, peers are told."""
        self._close_receivers()
        engine, participant = self._opened()
        with engine.gate:
            if not engine.closed:
                self._leaving = True
                engine.catch_up()  # what receivers give back goes before the goodbye
                participant.clear_trays(engine.now(), close=True)
                participant.drain(engine.now())
                participant.woken.extend((("outbox", queue), 1_000_000) for queue in participant.outboxes)
                engine.flush()

    def _leave_wish(self, hard: float | None) -> Wish[None]:
        """Wish to have left: nothing is owed, or the time for it is over."""
        _, participant = self._opened()
        latest = 0.0

        def attempt(now: float, since: float) -> None:
            nonlocal latest
            latest = max(latest, since, participant.progress_at, now if participant.at_work() else 0.0)
            participant.work(now)
            if not participant.owes(now):
                return
            limit = since + hard if hard is not None else latest + self.settings.drain
            if now < limit:
                raise WouldBlock

        return Wish(("progress",), attempt, self._flush_wish(None).words, retry=0.05)

    def _withdraw(self) -> None:
        """End discovery; may take a second."""
        self._closed = True
        self._take_back()
        for discovery in self._discoveries:
            discovery.close()

    def _shut(self, linger: float) -> Undelivered | None:
        """Say goodbye and close everything, after leaving or instead of it; returns what is left."""
        engine, participant = self._engine, self._participant
        assert engine is not None
        assert participant is not None

        def last() -> None:
            self._leaving = True
            engine.catch_up()
            participant.clear_trays(engine.now(), close=True)
            self._left = _left_behind(participant)  # before the goodbye, which ends what is in flight
            participant.farewell(engine.now())

        with shield:
            engine.close(linger, last)
            if self._driver is not None:
                self._driver.detach()
        if self._left is None:  # of one that broke there was no last
            participant.clear_trays(engine.now(), close=True)
            self._left = _left_behind(participant)
        return self._left

    # -- calls that do not wait ------------------------------------------------------------------

    def peers(self) -> list[PeerView]:
        """Return the peers that are here now, by name. Never waits; opens the node if need be."""
        engine, participant = self._opened()
        with engine.gate:
            engine.check()
            return peer_views(participant, engine.now())

    def stats(self) -> dict[str, Any]:
        """Return the node's counters. Never waits; opens the node if need be.

        ``queues`` has for each queue what this node pushed (``pushed``, ``acked``, ``depth``,
        ``bytes``, ``in_flight``, ``redelivered``, ``returned``, ``refused``, ``dropped``) and what it
        pulled (``received``, ``done``, ``waiting``, ``repeats``, ...), each with λ (arrivals per
        second), μ (how many one second of work does), ρ (share of the time at work), L (how many are
        in the system, mean) and W (seconds one spends there, mean), as measured since the node opened.
        """
        engine, participant = self._opened()
        with engine.gate:
            engine.check()
            participant.clear_trays(engine.now())
            return statistics(participant, engine.now(), self._dropped_by_links)

    def _encode(self, data: object, headers: Headers | None) -> tuple[bytes, tuple[bytes, ...], Headers | None]:
        body, buffers = self._codec.encode(data)
        if headers is not None:
            try:
                headers = check_headers(headers)
            except ValueError as error:
                raise EncodeError(str(error), "headers") from error
        return body, buffers, headers

    def _push_nowait(self, queue: str, body: bytes, buffers: Sequence[bytes], headers: Headers | None) -> int:
        engine, participant = self._engine, self._participant
        if engine is None or participant is None:
            engine, participant = self._opened()
        with engine.gate:
            if engine.closed or self._leaving:
                self._refuse_push(engine)
            number = participant.push(queue, body, buffers, headers, engine.now())
            engine.flush()
        self._quick[queue] = participant.outboxes[queue]
        return number

    def _look_for(self, outbox: Outbox, body: bytes) -> None:
        """Learn that the node was closed while a job was laid on the tray."""
        engine = self._engine
        assert engine is not None
        with engine.gate:
            withdrawn = outbox.withdraw(body)
        if withdrawn:
            raise ClosedError(f"node {self.name!r} is closed")

    def _push_wish(self, queue: str, body: bytes, buffers: Sequence[bytes], headers: Headers | None) -> Wish[int]:
        engine, participant = self._opened()

        def attempt(now: float, since: float) -> int:
            if self._leaving:
                self._refuse_push(engine)
            try:
                return participant.push(queue, body, buffers, headers, now)
            except WouldBlock:
                self._check_pullers(participant, queue, now, since)
                raise

        return Wish(("outbox", queue), attempt, lambda: self._full_words(participant, queue), retry=1.0)

    def _refuse_push(self, engine: Engine) -> None:
        engine.check()
        raise ClosedError(f"node {self.name!r} is being closed: nothing more can be pushed")

    def _check_pullers(self, participant: Participant, queue: str, now: float, since: float) -> None:
        pulled = participant.presence.roster.pullers(queue) or queue in participant.inboxes
        if not pulled and now - since >= self.settings.patience:
            raise NoPeersError(
                f"nobody has pulled {queue!r} for {self.settings.patience:g} s and its outbox is full: "
                f"start a node that pulls it; {_pulled(participant)}"
            )

    def _full_words(self, participant: Participant, queue: str) -> str:
        outbox = participant.outboxes.get(queue)
        depth = outbox.depth if outbox is not None else 0
        pullers = [peer.card.name for peer in participant.presence.roster.pullers(queue)]
        who = f"pulled by {', '.join(sorted(pullers))}" if pullers else f"nobody pulls it; {_pulled(participant)}"
        return f"queue {queue!r} is full at {depth:,}; {who}"

    def _flush_wish(self, queue: str | None) -> Wish[None]:
        _, participant = self._opened()

        def attempt(now: float, since: float) -> None:
            participant.clear_trays(now)
            participant.work(now)
            if any(outbox.depth for outbox in self._outboxes(participant, queue)):
                raise WouldBlock

        def words() -> str:
            left = {outbox.queue: outbox.depth for outbox in self._outboxes(participant, queue) if outbox.depth}
            listed = ", ".join(f"{depth:,} jobs of {name!r}" for name, depth in left.items())
            return f"acks of {listed}; {_pulled(participant)}"

        return Wish(("progress",), attempt, words)

    def _outboxes(self, participant: Participant, queue: str | None) -> list[Outbox]:
        return [outbox for outbox in participant.outboxes.values() if queue in (None, outbox.queue)]

    def _peers_wish(self, pull: str, count: int) -> Wish[list[PeerView]]:
        check_name("queue", pull)
        if type(count) is not int or count < 1:
            raise ConfigError(f"wait_for(count={count!r}): it is a whole number from 1")
        _, participant = self._opened()

        def attempt(now: float, since: float) -> list[PeerView]:
            here = [view for view in peer_views(participant, now) if pull in view.pulls and view.state == "up"]
            if len(here) + (pull in participant.inboxes) < count:
                raise WouldBlock
            return here

        def words() -> str:
            return f"{count} to pull {pull!r}; {_pulled(participant)}"

        return Wish(("roster",), attempt, words)

    def _event_wish(self, seen: list[int]) -> Wish[Event]:
        _, participant = self._opened()
        roster = participant.presence.roster

        def attempt(now: float, since: float) -> Event:
            behind = roster.happened - seen[0]
            if behind <= 0:
                raise WouldBlock
            kept = min(behind, len(roster.events))
            seen[0] = roster.happened - kept + 1
            return roster.events[-kept]

        return Wish(("roster",), attempt, lambda: "an event of the roster", level=logging.INFO)

    def _settled_wish(self) -> Wish[None]:
        _, participant = self._opened()
        zeroconf = any(isinstance(discovery, ZeroconfDiscovery) for discovery in self._discoveries)
        settle = self.settings.settle if zeroconf else 0.0

        def attempt(now: float, since: float) -> None:
            settled = self._looked and now >= participant.opened_at + settle
            if participant.presence.rumours.unanswered or not settled:
                raise WouldBlock

        return Wish(("roster",), attempt, lambda: "discovery to settle", retry=0.05)

    # -- receivers -------------------------------------------------------------------------------

    def _open_receiver(self, receiver: Closable, queue: str, prefetch: int | None) -> Consumer:
        if prefetch is not None:
            check_limit(prefetch)
        engine, participant = self._opened()
        with engine.gate:
            engine.check()
            participant.open_queue(queue, prefetch, engine.now())
            self._receivers.setdefault(queue, set()).add(receiver)
            engine.flush()
        return self._new_consumer(queue)

    def _new_consumer(self, queue: str) -> Consumer:
        assert self._engine is not None
        assert self._participant is not None
        consumer = Consumer(self._engine, self._participant, self._codec, queue)
        self._consumers.add(consumer)
        return consumer

    def _close_receiver(self, receiver: Closable, consumer: Consumer) -> None:
        """Take a receiver away; with the last of a queue this node stops pulling it."""
        consumer.leave()
        engine, participant = self._engine, self._participant
        assert engine is not None
        assert participant is not None
        if engine.closed:
            return
        queue = consumer.queue

        def close() -> None:
            others = self._receivers.get(queue, set())
            others.discard(receiver)
            if not others:
                participant.close_queue(queue, engine.now())
            participant.woken.append((("inbox", queue), 1_000))

        engine.post(close)  # after what the consumers have posted

    def _close_receivers(self) -> None:
        for receivers in list(self._receivers.values()):
            for receiver in list(receivers):
                receiver.close()

    def _jobs_wish(self, queue: str, attempt: Callable[[float, float], ResultT]) -> Wish[ResultT]:
        _, participant = self._opened()

        def words() -> str:
            return f"a job of {queue!r}; {len(participant.roster)} peers are here"

        return Wish(("inbox", queue), attempt, words, level=logging.INFO)

    def _ready_wish(self, consumer: Consumer) -> Wish[None]:
        _, participant = self._opened()
        queue = consumer.queue

        def attempt(now: float, since: float) -> None:
            inbox = participant.inboxes.get(queue)
            if inbox is None or consumer.left:
                raise ClosedError(f"the receiver of {queue!r} is closed")
            if not inbox.waiting:
                participant.look(queue, now)
                raise WouldBlock

        return self._jobs_wish(queue, attempt)

    def _waiting(self, queue: str) -> int:
        self._check_fork()
        inbox = self._participant.inboxes.get(queue) if self._participant is not None else None
        return inbox.waiting if inbox is not None else 0

    def _depth(self, queue: str) -> int:
        self._check_fork()
        outbox = self._participant.outboxes.get(queue) if self._participant is not None else None
        return outbox.depth + len(outbox.tray) if outbox is not None else 0


def _left_behind(participant: Participant) -> Undelivered | None:
    queues = {
        outbox.queue: (outbox.untouched, outbox.depth - outbox.untouched)
        for outbox in participant.outboxes.values()
        if outbox.depth
    }
    return Undelivered(queues) if queues else None


def _pulled(participant: Participant) -> str:
    names = sorted({queue for peer in participant.roster.values() for queue in peer.card.pulls})
    if not participant.roster:
        return "no peers are here"
    return f"peers pull: {', '.join(names[:10]) or 'nothing'}"


def _program() -> str:
    stem = Path(sys.argv[0] if sys.argv else "").stem
    if stem in ("", "-c", "-", "-m", "__main__"):
        stem = Path(sys.argv[0]).resolve().parent.name if stem == "__main__" else "python"
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem)
    return f"{kept or 'python'}-{os.getpid()}"


def _variable(name: str, read: Callable[[str], ResultT]) -> ResultT | None:
    """Return what an environment variable says, ``None`` where it is unset or empty.

    Raises:
        ConfigError: it cannot be used; the sentence names it.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    try:
        return read(text)
    except ConfigError as error:
        raise type(error)(f"{name}={text!r} cannot be used: {error}") from error


def _node_name(text: str) -> str:
    return check_name("node", text)


def _mesh_name(text: str) -> str:
    return check_name("mesh", text)


def _addresses(text: str) -> GivenAddresses | None:
    given = [part.strip() for part in text.split(",") if part.strip()]
    return GivenAddresses(given) if given else None


def _port(port: object) -> int:
    number: object = int(port) if isinstance(port, str) and port.isdecimal() else port
    if type(number) is not int or not 0 < number <= 65_533:
        raise ConfigError(f"port={port!r}: it is a whole number from 1 to 65533; it, port + 1 and port + 2 are used")
    return number


def _once(word: str) -> bool:
    fresh = word not in _told
    _told.add(word)
    return fresh


def _nothing() -> None:
    return None


_nodes: weakref.WeakSet[BaseNode] = weakref.WeakSet()


def _after_fork() -> None:
    for node in list(_nodes):
        node._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
