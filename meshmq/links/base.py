"""The two contracts between which an engine stands: who decides, and what carries.

An engine holds one ``Decider`` (a node's participant, which knows no sockets) and one ``Links``
(ZeroMQ sockets, or the in-memory network of ``meshmq.testing``). It hands the decider what arrives
and the links what the decider asks for.

**The contract of a connection**, which real and simulated links are both tested against: frames
arrive in order or not at all; what was sent may be lost from some point on, in each direction
separately, without a word; the end is told late, to one side, or never.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

#: A connection is named by a small int, unique within one node for ever. Even numbers are given by
#: the decider to what it dials, odd numbers by the links to what is dialled from outside.
Connection = int

LinkName = Literal["control", "topics", "direct"]

#: Why a dial failed, or a connection from outside was turned away.
Reason = Literal[
    "refused",  # nobody listens there
    "unreachable",  # no answer in time, no route, no such host
    "unresolved",  # the host name has no address
    "wrong_secret",  # both ends have a secret, and they differ
    "no_secret",  # the other end has no secret, we have one
    "secret_needed",  # the other end has a secret, we have none
    "not_meshmq",  # what answers there does not speak ZMTP or our protocol
]


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a node's links are bound: full ZeroMQ addresses, ipc first."""

    control: tuple[str, ...]
    direct: tuple[str, ...]
    topics: tuple[str, ...] = ()


class Decider(Protocol):
    """What an engine asks of the participant. No call waits; all are made under the engine's lock.

    ``now`` is a moment on the engine's clock, in seconds.
    """

    #: What the links are to do, oldest first; the engine empties it after every call:
    #: ``("send", connection, frames)``, ``("dial", connection, link, addresses, subscriptions)``,
    #: ``("hang_up", connection)``, ``("publish", frames)``, ``("spread", frames)``,
    #: ``("tune", connection, added, dropped)``.
    outputs: list[tuple[object, ...]]
    #: Keys of waiters that may now succeed, with how many of them: ``(key, count)``.
    woken: list[tuple[Hashable, int]]
    #: What to log and tell once the lock is released: ``(level, logger, sentence)``.
    words: list[tuple[int, str, str]]
    #: Whether the driver has turns, and ``end_turn`` is called after each in which something has ``gathered``. The
    #: first call since a step, which says so here, is sent at once.
    gathers: bool
    gathered: bool
    sent_in_turn: bool

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``tick`` has something to do."""

    def tick(self, now: float) -> None:
        """Do what is due."""

    def end_turn(self, now: float) -> None:
        """Send what has gathered in a turn of the driver."""

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        """Take one message of a direct connection, dialled or from outside."""

    def hear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        """Take one message that a peer published on its control link."""

    def claim(self, string: bytes, present: bool, now: float) -> None:
        """Learn that somebody subscribed our control link to ``string``, or withdrew it."""

    def overhear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        """Take one message that a peer published on its topics link."""

    def tuned(self, string: bytes, present: bool, now: float) -> None:
        """Learn that somebody subscribed our topics link to ``string``, or withdrew it.

        Everything that the same dial or the same ``tune`` named before ``string`` is in effect by
        then, if ``string`` starts with 0xFF: what is spread from now on is delivered for it.
        """

    def reached(self, connection: Connection, address: str, now: float) -> None:
        """Learn which of the addresses of a dial answered the race (nothing is proved yet)."""

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None:
        """Learn that a dial failed; the connection is gone."""

    def ended(self, connection: Connection, now: float) -> None:
        """Learn that a connection is gone; may be told late or never."""

    def moved(self, control: tuple[str, ...], topics: tuple[str, ...], direct: tuple[str, ...], now: float) -> None:
        """Learn that our links are bound to other addresses, because this machine has others."""

    def turned_away(self, reason: Reason, address: str, now: float) -> None:
        """Learn that somebody from outside could not get in (bad secret, foreign bytes)."""


class Links(Protocol):
    """Carries frames; never waits; is touched by one thread at a time (the engine's lock)."""

    bound: Bound

    @property
    def lanes(self) -> int:
        """How many connections have what arrives here without a thread of anybody else's."""

    def fileno(self) -> int:
        """Return the one descriptor that becomes readable when ``step`` has something to do."""

    @property
    def deadline(self) -> float | None:
        """The next moment at which ``step`` has something to do without its descriptor saying so."""

    def dial(
        self,
        connection: Connection,
        link: LinkName,
        addresses: Sequence[str],
        subscriptions: Sequence[bytes],
        now: float,
    ) -> None:
        """Begin to connect to whichever of ``addresses`` answers first.

        Frames may be sent on a direct connection at once; they leave when it stands. A control or
        topics connection subscribes to ``subscriptions`` and only hears; it reconnects by itself,
        and then the other end hears all subscriptions again, in byte order [F 45] and then as they
        were tuned meanwhile. The links answer with ``reached`` and then nothing, or with
        ``refused``, or with ``ended`` when they learn of the end.
        """

    def send(self, connection: Connection, frames: Sequence[bytes]) -> bool:
        """Send one message on a direct connection; ``False`` when it is known to have ended."""

    def hang_up(self, connection: Connection) -> None:
        """Forget a connection; nothing more is heard of it. Unknown ones are ignored."""

    def publish(self, frames: Sequence[bytes]) -> None:
        """Publish one message on our control link; the first frame is the topic."""

    def spread(self, frames: Sequence[bytes]) -> None:
        """Publish one message on our topics link to all who subscribed to a beginning of its first frame.

        Who is too far behind misses it; nobody else does, and nobody waits.
        """

    def tune(self, connection: Connection, added: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        """Subscribe a topics connection that we dialled to ``added``, in this order, then withdraw ``dropped``.

        A string counts once: one that is subscribed already is not told to the other end again, and
        one that is not cannot be withdrawn. Before the dial is through it changes what is subscribed
        then. Connections that are unknown, or of another link, are ignored.
        """

    def step(self, decider: Decider, now: float) -> bool:
        """Hand what has arrived to the decider, at most 256 frames or 2 ms; ``True`` if more is left.

        Outputs of the decider are not carried out in here; the engine does it after.
        """

    def close(self, linger: float) -> None:
        """Close everything, giving what was sent at most ``linger`` seconds to leave."""
