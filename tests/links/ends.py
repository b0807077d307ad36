"""Links with somebody who writes down what they hand over, stepped by the test itself."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from meshmq.links.authenticator import Authenticator, authenticator
from meshmq.links.base import Connection, LinkName, Links, Reason
from meshmq.links.resolver import Resolver
from meshmq.links.security import Keys
from meshmq.links.sockets import ZmqLinks

LIMIT: Final = 10.0


class Recorder:
    """A decider that decides nothing."""

    def __init__(self) -> None:
        self.outputs: list[tuple[object, ...]] = []
        self.woken: list[tuple[Hashable, int]] = []
        self.words: list[tuple[int, str, str]] = []
        self.gathers = self.gathered = self.sent_in_turn = False
        self.deadline: float | None = None
        self.received: list[tuple[Connection, list[bytes]]] = []
        self.heard: list[tuple[Connection, list[bytes]]] = []
        self.claims: list[tuple[bytes, bool]] = []
        self.overheard: list[tuple[Connection, list[bytes]]] = []
        self.tunings: list[tuple[bytes, bool]] = []
        self.reaches: list[tuple[Connection, str]] = []
        self.refusals: list[tuple[Connection, Reason, str]] = []
        self.ends: list[Connection] = []
        self.strangers: list[tuple[Reason, str]] = []
        self.moves: list[tuple[tuple[str, ...], ...]] = []

    def tick(self, now: float) -> None:
        """Nothing is ever due."""

    def end_turn(self, now: float) -> None:
        """Nothing gathers."""

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        self.received.append((connection, list(frames)))

    def hear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        self.heard.append((connection, list(frames)))

    def claim(self, string: bytes, present: bool, now: float) -> None:
        self.claims.append((string, present))

    def overhear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        self.overheard.append((connection, list(frames)))

    def tuned(self, string: bytes, present: bool, now: float) -> None:
        self.tunings.append((string, present))

    def reached(self, connection: Connection, address: str, now: float) -> None:
        self.reaches.append((connection, address))

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None:
        self.refusals.append((connection, reason, address))

    def ended(self, connection: Connection, now: float) -> None:
        self.ends.append(connection)

    def moved(self, control: tuple[str, ...], topics: tuple[str, ...], direct: tuple[str, ...], now: float) -> None:
        self.moves.append((control, topics, direct))

    def turned_away(self, reason: Reason, address: str, now: float) -> None:
        self.strangers.append((reason, address))


class End:
    """One node's links and what they said."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.log = Recorder()
        self._numbers = iter(range(0, 1_000_000, 2))

    def dial(self, addresses: Sequence[str], link: LinkName = "direct", strings: Sequence[bytes] = ()) -> Connection:
        number = next(self._numbers)
        self.links.dial(number, link, addresses, strings, time.monotonic())
        return number

    def step(self) -> bool:
        return self.links.step(self.log, time.monotonic())


def zmq_end(
    *,
    ipc: Path | None = None,
    tcp: Sequence[str] = ("127.0.0.1",),
    port: int | None = None,
    keys: Keys | None = None,
    guarded: bool | None = None,
    message_bytes: int = 1 << 20,
    resolver: Resolver | None = None,
    follow: Callable[[], Sequence[str]] | None = None,
    shared_memory: bool = True,
) -> End:
    """Make one on loopback; ``guarded`` ones ask the process's authenticator, as those with keys always do."""
    sockets: Mapping[str, str] = {}
    if ipc is not None:
        sockets = {"control": f"ipc://{ipc}.c", "topics": f"ipc://{ipc}.t", "direct": f"ipc://{ipc}.d"}
    asked = keys is not None if guarded is None else guarded
    return End(
        ZmqLinks(
            ipc=sockets,
            tcp=tcp,
            port=port,
            keys=keys,
            authenticator=authenticator() if asked else None,
            message_bytes=message_bytes,
            heartbeat=1.0,
            silence=4.0,
            resolver=resolver,
            follow=follow,
            shared_memory=shared_memory,
        )
    )


def until(condition: Callable[[], object], *ends: End, limit: float = LIMIT) -> None:
    """Step ``ends`` and the process's authenticator whenever one is due, until ``condition``; fail after ``limit``.

    Sleeps on the descriptors and deadlines alone, so that a lost wake-up shows.
    """
    assert _run(condition, ends, limit), [vars(end.log) for end in ends]


def quiet(seconds: float, *ends: End) -> None:
    """Step ``ends`` for so long: for what must not happen."""
    _run(lambda: False, ends, seconds)


def _run(condition: Callable[[], object], ends: Sequence[End], limit: float) -> bool:
    give_up = time.monotonic() + limit
    doorman: Authenticator = authenticator()
    with selectors.DefaultSelector() as selector:
        selector.register(doorman, selectors.EVENT_READ)
        for end in ends:
            selector.register(end.links.fileno(), selectors.EVENT_READ)
        doorman.step()
        more = False
        while not condition():
            now = time.monotonic()
            if now >= give_up:
                return False
            due = [end.links.deadline for end in ends]
            wake = now if more else min([give_up, *(when for when in due if when is not None)])
            selector.select(max(0.0, wake - now))
            doorman.step()
            left = [end.step() for end in ends]
            more = any(left)
    return True


def opened(stack: ExitStack, **more: object) -> End:
    end = zmq_end(**more)  # type: ignore[arg-type]  # passed through
    stack.callback(end.links.close, 0)
    return end


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def free_ports(stack: ExitStack) -> int:
    """A port P that was free a moment ago, as were P + 1 and P + 2."""
    for _ in range(50):
        with ExitStack() as held:
            first = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = first.getsockname()[1]
            with suppress(OSError, OverflowError):
                for offset in (1, 2):
                    held.enter_context(socket.create_server(("127.0.0.1", port + offset)))
                return int(port)
    raise AssertionError("no free ports")
