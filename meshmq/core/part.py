"""What a pattern of its own (topics, services) is to the participant it is a part of, and what it stands on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from random import Random
from typing import Protocol, TypeVar

from meshmq.codecs.base import Buffer
from meshmq.core.roster import Peer
from meshmq.core.session import Session
from meshmq.core.stream import Source
from meshmq.settings import Settings
from meshmq.wire.batches import Batch
from meshmq.wire.frames import Kind
from meshmq.wire.headers import Headers
from meshmq.wire.news import News

Aging = TypeVar("Aging", Batch, News)


class Ground(Protocol):
    """What a part asks of its participant. All calls are made under the engine's lock and never wait."""

    node_id: bytes
    settings: Settings
    #: See ``links.base.Decider``.
    outputs: list[tuple[object, ...]]
    woken: list[tuple[Hashable, int]]
    sessions: dict[bytes, Session]
    random: Random
    opened_at: float
    #: What was dropped, by reason.
    counts: Counter[str]

    @property
    def takes_detours(self) -> bool:
        """Whether news may come to us through devices: a device hears publishers itself."""

    @property
    def roster(self) -> dict[bytes, Peer]:
        """All peers whose card we hold, by id."""

    def put(self, peer: bytes, kind: Kind, body: bytes) -> bool:
        """Send a small frame to a peer, or to ourselves; ``False`` where no session stands."""

    def push(self, queue: str, body: bytes, buffers: Sequence[Buffer], headers: Headers | None, now: float) -> int:
        """Put a job into a queue's outbox; returns its number.

        Raises:
            WouldBlock: the outbox is full.
        """

    def post(self, peer: bytes, kind: Kind, frames: Sequence[bytes], name: bytes) -> bool:
        """Send a request or an answer, of any size, in order with what has the same ``name``; ``False`` as ``put``."""

    def unread(self, peer: bytes) -> int:
        """Return the bytes of requests and answers that wait until a peer reads."""

    def work(self, now: float) -> None:
        """Have everything sent that may be: what users call ends with it."""

    def deliver(self, now: float) -> None:
        """Have calls placed, and requests and answers sent: of ``work`` what is to do where nothing else is open."""

    def pump(self, peer: bytes, source: Source, now: float, whole: int) -> None:
        """Send news to a peer, or to ourselves, as long as ``source`` gives some and there is room.

        Of up to ``whole`` bytes they may go whole, and cannot be recalled then.
        """

    def aged(self, peer: bytes, one: Aging) -> Aging:
        """Return what a peer sent with the time added for which its chunks came."""

    def lends(self, peer: bytes) -> float | None:
        """Return which part of a large message of news has left to a peer, ``None`` where none is under way."""

    def recall(self, peer: bytes) -> None:
        """Send no more of the large message of news that is under way to a peer; it is told, and misses it."""

    def want(self, peer: bytes, now: float) -> bool:
        """Ask for a session with a peer; whether one stands already (with ourselves one always does)."""

    def next_connection(self) -> int:
        """Return a number for a connection that we dial."""

    def change_card(self, now: float) -> None:
        """Publish our card anew: what a part shows on it has changed."""

    def names_shown(self) -> int:
        """Return how many names stand on our card: it has room for ``wire.card.NAMES_LIMIT``."""

    def serves(self, service: str) -> bool:
        """Whether this node serves a name itself."""

    def refuse_service(self, service: str) -> None:
        """Refuse to serve a name that this node is a device for.

        Raises:
            ConfigError: it is.
        """

    def say(self, level: int, logger: str, sentence: str) -> None:
        """Log, once the lock is released."""

    def soon(self, moment: float) -> None:
        """Have ``tick`` called at that moment at the latest."""

    def settled(self, now: float) -> bool:
        """Whether discovery has had its first answers."""

    def round_trip(self, peer: bytes) -> float:
        """Return the measured round trip to a peer in seconds, 0 where none was measured."""

    def name_of(self, peer: bytes) -> str:
        """Return the name of a peer, or our own."""


class Part(Protocol):
    """One pattern's machines, joined to the sessions of a node."""

    #: The frames of sessions that it reads.
    kinds: frozenset[Kind]

    def read(self, peer: bytes, kind: Kind, frames: Sequence[bytes], now: float) -> None:
        """Take what a session brought, whole and in order; ``peer`` may be ourselves.

        Raises:
            ProtocolError: it is none; the session ends.
        """

    def awaits(self, peer: bytes) -> bool:
        """Whether a peer may send anything that is large."""

    def session_up(self, peer: bytes, now: float) -> None:
        """Learn that a new session with a peer stands: of one before nothing is left."""

    def session_ended(self, peer: bytes, reason: str, now: float, *, clean: bool) -> None:
        """Learn that a session is over; ``clean`` when the peer said goodbye."""

    def roster_changed(self, now: float) -> None:
        """Look who is here and what their cards say."""

    def work(self, now: float) -> None:
        """Send what may be sent."""

    def owes(self, now: float) -> bool:
        """Whether leaving now would lose something, or leave somebody without an answer."""

    def tick(self, now: float) -> None:
        """Do what is due."""

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""
