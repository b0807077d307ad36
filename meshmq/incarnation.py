"""Who a node is, and how it is opened: from arguments to an engine that runs."""

from __future__ import annotations

import os
import secrets
import threading
import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from random import Random, SystemRandom
from typing import Any, Final, Protocol

from meshmq.codecs.base import Codec
from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.core.participant import Participant
from meshmq.core.tray import Tray
from meshmq.discovery.base import Found
from meshmq.drivers.base import Driver
from meshmq.errors import ClosedError, ConfigError, Undelivered
from meshmq.handling import Crew
from meshmq.history import History
from meshmq.links.engine import Engine
from meshmq.links.interrupts import install_signals, release_signals
from meshmq.links.reader import owned
from meshmq.links.shared.pool import copied
from meshmq.names import NodeId, check_name, counted
from meshmq.recording import Recorder
from meshmq.settings import Settings
from meshmq.supply import Supply, Taker
from meshmq.watchdog import Watchdog
from meshmq.whereabouts import Place, Whereabouts, program, variable
from meshmq.wire.card import Forwards

#: Seconds that closing gives the disk for what is left to write.
JOURNAL_CLOSES: Final = 10.0


class Closable(Protocol):
    """A receiver, as its node holds it."""

    def close(self) -> None:
        """Take nothing more; what is in hand goes back."""

    def _end(self) -> None:
        """Take nothing new; what is in hand may be finished."""


class Incarnation:
    """One incarnation of a node: who it is, and how it is opened; see ``BaseNode``."""

    #: Until it is known: the repr of a node whose arguments were refused stands in tracebacks.
    name = "?"
    _participant: Participant | None = None
    _closed = False

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
        self.name = variable("MESHMQ_NAME", _node_name) or program() if name is None else check_name("node", name)
        self.mesh: str = variable("MESHMQ_MESH", _mesh_name) or "default" if mesh is None else check_name("mesh", mesh)
        if settings is not None and not isinstance(settings, Settings):
            raise ConfigError(f"settings= is a meshmq.Settings(...), not a {type(settings).__name__}")
        self.settings: Settings = settings or Settings()
        #: Where the journal is, and once the node is open what keeps it.
        self._journal = _journal_path(journal) if journal is not None else variable("MESHMQ_JOURNAL", _journal_path)
        self._recorder: Recorder | None = None
        if self._journal is not None and name is None and not variable("MESHMQ_NAME", _node_name):
            raise ConfigError(
                "a journal is for a node with a name: give it one, Node(NAME, journal=FILE), or MESHMQ_NAME, and the "
                "same when it comes again"
            )
        self._whereabouts = Whereabouts.read(secret, insecure, peers, port)
        self._codec: Codec = MsgpackCodec(
            limit=self.settings.message_bytes, copied=copied if self.settings.shared_memory else owned
        )
        self._id = NodeId(secrets.token_bytes(16))
        self._engine: Engine | None = None
        self._dropped_by_links: Mapping[str, int] = {}
        self._driver: Driver | None = None
        self._quick: dict[str, Tray[bytes]] = {}
        self._receivers: dict[Hashable, weakref.WeakSet[Closable]] = {}
        self._takers: weakref.WeakSet[Taker[Any]] = weakref.WeakSet()
        #: What is to take effect when the node opens.
        self._histories: list[tuple[str, History | None, bool]] = []
        self._remembered: list[Supply[Any]] = []
        self._forwards: list[Forwards] = []
        #: Who handles what receivers take.
        self._crews: dict[Closable, Crew[Any, Any]] = {}
        self._watchdog: Watchdog | None = None
        self._opening = threading.RLock()
        #: Nothing new is taken; nothing more is pushed, either.
        self._draining = self._leaving = False
        self._left: Undelivered | None = None
        #: Who closes the node, and whether that is done.
        self._closer = 0
        self._over = threading.Event()
        self._opened_with: Place | None = None
        #: What to be opened with, where it is not what the whereabouts say: the seam for in-memory networks.
        self._place: Place | None = None
        self._take_back: Callable[[], None] = _nothing
        _nodes.add(self)

    def __repr__(self) -> str:
        kind = type(self).__name__
        if self._participant is None:
            return f"<{kind} {self.name!r} not opened>" if not self._closed else f"<{kind} {self.name!r} closed>"
        if self._closed or (self._engine is not None and self._engine.closed):
            return f"<{kind} {self.name!r} closed>"
        return f"<{kind} {self.name!r} in {self.mesh!r}, {counted(len(self._participant.roster), 'peer')}>"

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

    def _participating(self) -> Participant:
        """Return the participant; opens the node at its first use."""
        return self._opened()[1]

    def _open(self) -> None:
        with self._opening:
            if self._closed:
                raise ClosedError(f"node {self.name!r} is closed")
            if self._engine is not None:
                return
            install_signals(self._id)
            with ExitStack() as undo:
                undo.callback(release_signals, self._id)
                self._open_all(undo)
                undo.pop_all()
            self._start_crews()  # once nothing undoes the opening: a Ctrl-C now leaves in order

    def _check_fork(self) -> None:
        if self._engine is not None and self._engine.forked:
            self._engine.check()

    def _forked(self) -> None:
        """Know in a child that what is open is the parent's; not opened yet, be another incarnation."""
        self._quick = {}  # what lies there would never be looked at
        for taker in self._takers:
            taker.left = True  # what it has in hand is the parent's to do
        self._opening = threading.RLock()  # a thread of the parent may hold the other for ever
        if self._engine is None:
            self._id = NodeId(secrets.token_bytes(16))

    def _open_journal(self) -> None:
        """Open the journal and read it; waits for the disk."""
        if self._journal is not None and self._recorder is None:
            self._recorder = Recorder(self._journal, self.name, self.settings)

    def _close_journal(self, timeout: float = JOURNAL_CLOSES) -> None:
        """Have written what is left; waits for the disk."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close(timeout)

    def _open_all(self, undo: ExitStack) -> None:
        self._open_journal()
        undo.callback(self._close_journal, 0.0)
        place = self._open_place()
        undo.callback(place.links.close, 0.0)
        for discovery in place.discoveries:
            undo.callback(discovery.close)
        participant = Participant(
            node_id=self._id,
            name=self.name,
            mesh=self.mesh,
            settings=self.settings,
            random=Random(SystemRandom().getrandbits(128)),
            control=place.links.bound.control,
            topics=place.links.bound.topics,
            direct=place.links.bound.direct,
            now=place.clock(),
        )
        engine = Engine(participant, place.links, clock=place.clock, name=self.name)
        undo.callback(engine.close, 0.0)
        if self._recorder is not None:
            with engine.gate:
                self._recorder.open(engine, participant)
                engine.flush()
        self._take_effect(engine, participant)
        self._dropped_by_links = getattr(place.links, "counts", {})
        participant.each_minute, participant.settle = self._refresh, place.settle
        driver = self._make_driver(engine)
        driver.attach()
        undo.callback(self._forget_engine)
        self._participant, self._driver, self._engine = participant, driver, engine
        self._opened_with = place
        place.announce(self._id, self.name, self.mesh, self._found)
        # What was found at once is posted, too: only after it are there rumours to wait for.
        engine.post(partial(setattr, participant, "looked", True))
        self._remembered.clear()
        self._arrange_exit()

    def _open_place(self) -> Place:
        return self._place or self._whereabouts.open(self.mesh, self._id, self.settings, self._stranger)

    def _forget_engine(self) -> None:
        engine, driver = self._engine, self._driver
        self._participant = self._driver = self._engine = None
        if engine is not None and driver is not None:
            engine.close(0.0)
            driver.detach()

    def _refresh(self) -> None:
        for discovery in self._opened_with.discoveries if self._opened_with is not None else ():
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
            reason = self._whereabouts.reason(tag)
            engine.post(lambda: participant.presence.tell_refused(reason, f"{name} at {address}"))

    def _take_effect(self, engine: Engine, participant: Participant) -> None:
        """Have what was remembered take effect, before anybody learns of the node."""

    def _start_crews(self) -> None:
        """Have the handlers that were remembered begin."""

    def _arrange_exit(self) -> None:
        """Have the interpreter close the node at exit, if nobody did."""

    def _make_driver(self, engine: Engine) -> Driver:
        raise AssertionError("a face says who drives it")


def _node_name(text: str) -> str:
    return check_name("node", text)


def _journal_path(path: object) -> str:
    found = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
    if not isinstance(found, str) or not found or "\0" in found:
        raise ConfigError(f"journal={path!r}: it is the path of a file")
    return found


def _mesh_name(text: str) -> str:
    return check_name("mesh", text)


def _nothing() -> None:
    return None


_nodes: weakref.WeakSet[Incarnation] = weakref.WeakSet()


def _after_fork() -> None:
    for node in list(_nodes):
        node._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
