"""The links of one node inside a process, which behave as ZeroMQ's do.

A subscription is heard as a claim, in byte order when it comes with a connection and in the order
of the calls later; a control or topics connection reconnects by itself and says nothing; a direct
one never does. Everything shared is touched under the network's lock, under
which no decider is ever called, so that engines of different nodes may be stepped by different
threads.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from meshmq.links.base import Bound, Connection, Decider, LinkName, Reason
from meshmq.names import counted
from meshmq.testing.memory_wires import Wire
from meshmq.testing.subscriptions import Subscriptions

if TYPE_CHECKING:
    from meshmq.testing.memory import MemoryNetwork

STEP_MESSAGES: Final = 256
CLAIM_BYTES: Final = 1024
SCHEME: Final = "memory://"

#: What waits to be handed over: for which connection (-1: none), whether it is the last of it, how.
_Waiting = tuple[Connection, bool, Callable[[Decider, float], None]]
#: How a message that was published is handed to who subscribed.
_Hearing = Callable[[Connection, tuple[bytes, ...], Decider, float], None]


class MemoryLinks:
    """The links of one node in a ``MemoryNetwork``; made by ``MemoryNetwork.links``."""

    def __init__(self, network: MemoryNetwork, name: str) -> None:
        self.network = network
        self.name = name
        self.bound = Bound((f"{SCHEME}{name}/control",), (f"{SCHEME}{name}/direct",), (f"{SCHEME}{name}/topics",))
        self.closed = False
        #: Set by ``MemoryNetwork.freeze``: nothing is handed over and nothing leaves.
        self.frozen = False
        self.held: list[Callable[[], None]] = []
        #: Strings of subscriptions that were too long to be a claim, as the real links count them.
        self.ignored = 0
        self.wires: dict[Connection, Wire] = {}
        #: Control and topics connections of others, in the order in which they came.
        self.audience: list[Wire] = []
        self._outside = count(1, 2)
        self._inbox: deque[_Waiting] = deque()
        self._readable, self._nudge = socket.socketpair()
        self._readable.setblocking(False)
        self._nudge.setblocking(False)
        self._nudged = False

    def __repr__(self) -> str:
        state = "closed" if self.closed else "frozen" if self.frozen else "open"
        return (
            f"<MemoryLinks {self.name!r} {state}, {counted(len(self.wires), 'connection')}, {len(self._inbox)} waiting>"
        )

    @property
    def deadline(self) -> float | None:
        """Nothing here happens by time: always ``None``."""
        return None

    @property
    def lanes(self) -> int:
        """There are none."""
        return 0

    def fileno(self) -> int:
        """Return the descriptor that is readable while something waits in the inbox."""
        return self._readable.fileno()

    def dial(
        self,
        connection: Connection,
        link: LinkName,
        addresses: Sequence[str],
        subscriptions: Sequence[bytes],
        now: float,
    ) -> None:
        """Connect to the first of ``addresses`` where somebody listens; see ``Links.dial``.

        Raises:
            ValueError: ``connection`` is odd or in use: numbers are unique for ever.
        """
        with self.network.lock:
            if connection % 2 or connection in self.wires:
                raise ValueError(f"connection {connection} cannot be dialled: it is odd or in use")
            wire = self.wires[connection] = Wire(link, self, connection, subscriptions)
            failed: tuple[Reason, str] = ("unresolved", "")
            for address in addresses:
                listener, reason = self.network.find(self, link, address)
                if listener is not None:
                    self._stand(wire, listener, address)
                    return
                failed = (reason, address)
            self.put(connection, lambda decider, now: decider.refused(connection, *failed, now), last=True)

    def send(self, connection: Connection, frames: Sequence[bytes]) -> bool:
        """Send one message on a direct connection; ``False`` when its end is known here."""
        message = _checked(frames)
        with self.network.lock:
            wire = self.wires.get(connection)
            if wire is None or wire.link != "direct":
                return False
            if self.frozen:
                self.held.append(lambda: wire.carry(connection, message))
            else:
                wire.carry(connection, message)
            return True

    def hang_up(self, connection: Connection) -> None:
        """Forget a connection; frames that wait here are dropped, unknown ones are ignored."""
        with self.network.lock:
            wire = self.wires.pop(connection, None)
            if wire is not None:
                self.network.leave(wire, self, connection)

    def publish(self, frames: Sequence[bytes]) -> None:
        """Publish one message to every control connection with a matching subscription."""
        self._publish("control", _hear, _checked(frames))

    def spread(self, frames: Sequence[bytes]) -> None:
        """Publish one message to every topics connection with a matching subscription."""
        self._publish("topics", _overhear, _checked(frames))

    def tune(self, connection: Connection, added: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        """Change the subscriptions of a topics connection that we dialled; see ``Links.tune``."""
        with self.network.lock:
            wire = self.wires.get(connection)
            if wire is None or wire.link != "topics":
                return
            if self.frozen:
                self.held.append(lambda: wire.tune(added, dropped))
            else:
                wire.tune(added, dropped)

    def step(self, decider: Decider, now: float) -> bool:
        """Hand over at most 256 of what has arrived, oldest first; ``True`` if more is left."""
        with self.network.lock:
            batch: list[_Waiting] = []
            if not self.frozen:
                while self._inbox and len(batch) < STEP_MESSAGES:
                    batch.append(self._inbox.popleft())
            left = bool(self._inbox) and not self.frozen
            if not left:
                self._calm()
        # Outside the lock: the decider may take its time, and other nodes go on.
        for connection, last, hand in batch:
            if connection >= 0 and connection not in self.wires:
                continue
            if last:
                with self.network.lock:
                    self.wires.pop(connection, None)
            hand(decider, now)
        return left

    def close(self, linger: float) -> None:
        """End every connection and free the address; what was sent has arrived, so nothing lingers."""
        with self.network.lock:
            if self.closed:
                return
            self.closed = True
            while self.wires:
                connection, wire = self.wires.popitem()
                self.network.leave(wire, self, connection)
            self.network.vacate(self)
            self._inbox.clear()
            self.held.clear()
            self._readable.close()
            self._nudge.close()

    # What follows is called by the network and other links of it, under the network's lock.

    def put(self, connection: Connection, hand: Callable[[Decider, float], None], *, last: bool = False) -> None:
        if self.closed:
            return
        self._inbox.append((connection, last, hand))
        if not self._nudged and not self.frozen:
            self._nudged = True
            self._nudge.send(b"!")

    def accept(self, wire: Wire) -> None:
        wire.listener = self
        if wire.link == "direct":
            wire.answering = next(self._outside)
            self.wires[wire.answering] = wire
        else:
            self.audience.append(wire)
            self.hear_all(wire)

    def hear_all(self, wire: Wire) -> None:
        wire.heard = Subscriptions(wire.strings)
        for string in wire.heard:
            self.tell(wire, string, present=True)

    def lose_all(self, wire: Wire, heard: Subscriptions) -> None:
        for string in heard:
            self.tell(wire, string, present=False)

    def tell(self, wire: Wire, string: bytes, *, present: bool) -> None:
        if len(string) > CLAIM_BYTES:
            self.ignored += present
        else:
            self.put(-1, partial(_tuned if wire.link == "topics" else _claim, string, present))

    def thaw(self) -> None:
        self.frozen = False
        held, self.held = self.held, []
        for action in held:
            action()
        if self._inbox and not self._nudged:
            self._nudged = True
            self._nudge.send(b"!")

    def _calm(self) -> None:
        if self._nudged:
            self._nudged = False
            self._readable.recv(16)

    def _publish(self, link: LinkName, hand: _Hearing, message: tuple[bytes, ...]) -> None:
        with self.network.lock:
            if self.frozen:
                self.held.append(lambda: self._reach(link, hand, message))
            else:
                self._reach(link, hand, message)

    def _reach(self, link: LinkName, hand: _Hearing, message: tuple[bytes, ...]) -> None:
        for wire in self.audience:
            if wire.link == link and not wire.lost and wire.heard.match(message[0]):
                wire.dialler.put(wire.number, partial(hand, wire.number, message))

    def _stand(self, wire: Wire, listener: MemoryLinks, address: str) -> None:
        wire.target = address
        self.put(wire.number, lambda decider, now: decider.reached(wire.number, address, now))
        listener.accept(wire)


def _claim(string: bytes, present: bool, decider: Decider, now: float) -> None:
    decider.claim(string, present, now)


def _tuned(string: bytes, present: bool, decider: Decider, now: float) -> None:
    decider.tuned(string, present, now)


def _hear(number: Connection, message: tuple[bytes, ...], decider: Decider, now: float) -> None:
    decider.hear(number, message, now)


def _overhear(number: Connection, message: tuple[bytes, ...], decider: Decider, now: float) -> None:
    decider.overhear(number, message, now)


def _checked(frames: Sequence[bytes]) -> tuple[bytes, ...]:
    # bytes() of bytes is the same object, and of any other buffer the copy that ZeroMQ would make.
    message = tuple(bytes(frame) for frame in frames)
    if not message:
        raise ValueError("a message has at least one frame")
    return message
