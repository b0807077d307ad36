"""Which of a peer's addresses answers first, found out with plain sockets (after RFC 8305).

libzmq connects to anything and says nothing [F 22]. So every address is tried here, nearest first
and 150 ms apart, until one has shown a ZMTP greeting that we can work with; the others, and why,
are what a refusal is made of. Nothing is sent but our half of the greeting. The connection that won
is kept until ZeroMQ's own stands or has failed: the other end may see whose it is, which of one that
fails it can be too late to see.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final

from meshmq.links.base import Reason
from meshmq.links.greeting import GREETING_BYTES, OPENING, Verdict, judge, remainder
from meshmq.links.poller import READ, WRITE
from meshmq.links.resolver import Resolved, Resolver, numeric
from meshmq.links.sources import Source, Sources

_APART: Final = 0.15
_LIMIT: Final = 3.0
#: ZMTP speaks at once; what is silent for so long may be waiting for the end of a header.
_HINT: Final = 0.3
#: How long we stay where our secret does not fit, so that the other end can see who it is.
LOOK: Final = 0.1
#: The most telling reason wins, where several addresses failed each in its own way.
_TELLING: Final[tuple[Reason, ...]] = (
    "secret_needed",
    "no_secret",
    "not_meshmq",
    "refused",
    "unreachable",
)

Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class Won:
    """The address as it was given, and as ZeroMQ is to dial it."""

    address: str
    endpoint: str
    #: The address of this machine that leads there, "" on a unix socket.
    local: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """Why nobody could be reached, and at which address that was found."""

    reason: Reason
    address: str


@dataclass(frozen=True, slots=True)
class _Target:
    address: str
    endpoint: str
    family: int
    where: Any


class _Runner:
    """One connection on its way: connecting, then waiting for the whole greeting."""

    def __init__(self, target: _Target, mechanism: bytes) -> None:
        self.target = target
        self.socket = socket.socket(target.family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        #: When to send the rest of our greeting.
        self.due: float | None = None
        self._mechanism = mechanism
        self._connected = False
        self._received = b""
        self._mismatch: Reason | None = None

    def start(self) -> Reason | None:
        try:
            error = self.socket.connect_ex(self.target.where)
        except (OSError, ValueError):  # a path too long, or none at all
            return "unresolved"
        return None if error in (0, errno.EINPROGRESS) else _reason(error)

    def advance(self, now: float) -> Verdict:
        """Go on as far as it goes without waiting."""
        try:
            if not self._connected and not self._connect(now):
                return "more"
            return self._listen(now)
        except BlockingIOError:
            return "more"
        except OSError as error:
            return _reason(error.errno)

    @property
    def events(self) -> int:
        return READ if self._connected else WRITE

    @property
    def local(self) -> str:
        """The address of this machine that it goes out by, "" on a unix socket."""
        return "" if self.target.family == _unix() else str(self.socket.getsockname()[0])

    def _connect(self, now: float) -> bool:
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "connect")
        try:
            peer = self.socket.getpeername()
        except OSError:
            return False
        if self.target.family != _unix() and peer == self.socket.getsockname():
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself")  # a quirk of loopback
        self.socket.send(OPENING)
        self._connected = True
        self.due = now + _HINT
        return True

    def _listen(self, now: float) -> Verdict:
        if self.due is not None and now >= self.due:
            self.due = None
            if self._mismatch is not None or not self._received:
                self.socket.send(remainder(self._mechanism))
        if self._mismatch is not None:
            return "more" if self.due is not None else self._mismatch
        while True:
            got = self.socket.recv(GREETING_BYTES - len(self._received))
            if not got:
                return "refused"  # it is closing; what does not speak ZMTP was known by its first byte
            self._received += got
            verdict = judge(self._received, self._mechanism)
            if verdict in ("no_secret", "secret_needed") and self.due is not None:
                self._mismatch = verdict
                self.due = now + LOOK
                return "more"
            if verdict != "more":
                return verdict


class Race:
    """Tries ``addresses`` for ``source``, whose ``drain`` calls ``advance`` whenever it is asked."""

    def __init__(
        self,
        addresses: Sequence[str],
        source: Source,
        sources: Sources,
        *,
        resolver: Resolver,
        mechanism: bytes,
        near: Networks,
        now: float,
    ) -> None:
        self._source = source
        self._sources = sources
        self._mechanism = mechanism
        self._running: list[_Runner] = []
        self._failed: dict[Reason, str] = {}
        self._resolved: deque[tuple[str, list[Resolved]]] = deque()
        self._resolving = 0
        self._next = now
        self._limit = now + _LIMIT
        self._first = addresses[0] if addresses else ""
        targets: list[_Target] = []
        for address in addresses:
            parsed = _parse(address)
            if isinstance(parsed, list):
                targets += parsed
            elif parsed is not None:
                self._resolving += 1
                resolver.resolve(*parsed, partial(self._answer, address))
        self._waiting = deque(sorted(targets, key=lambda target: _distance(target, near)))
        sources.wake(source)
        sources.later(source, self._limit)

    def advance(self, now: float) -> Won | Lost | None:
        """Do what can be done now; ``None`` while it is undecided."""
        while self._resolved:
            address, found = self._resolved.popleft()
            self._resolving -= 1
            self._waiting += [_tcp(address, *one) for one in found]
        for runner in self._running[:]:
            verdict = runner.advance(now)
            if verdict == "fine":
                self._drop_all_but(runner)
                return Won(runner.target.address, runner.target.endpoint, runner.local)
            if verdict == "more":
                self._sources.watch(runner.socket.fileno(), self._source, runner.events)
                if runner.due is not None:
                    self._sources.later(self._source, runner.due)
            else:
                self._fail(runner, verdict, now)
        while self._waiting and now >= self._next:
            self._start(self._waiting.popleft(), now)
        if self._waiting:
            self._sources.later(self._source, self._next)
        if self._running or self._waiting or self._resolving:
            return Lost(*self._telling(late=True)) if now >= self._limit else None
        return Lost(*self._telling(late=False))

    def close(self) -> None:
        """Let go of every connection, also of the one that won."""
        self._drop_all_but(None)

    def _drop_all_but(self, winner: _Runner | None) -> None:
        for runner in self._running:
            self._sources.unwatch(runner.socket.fileno())
            if runner is not winner:
                runner.socket.close()
        self._running = [] if winner is None else [winner]
        self._waiting.clear()

    def _start(self, target: _Target, now: float) -> None:
        try:
            runner = _Runner(target, self._mechanism)
        except OSError:  # no descriptors left, or no such family here
            self._failed.setdefault("unreachable", target.address)
            return
        self._running.append(runner)
        self._next = now + _APART
        reason = runner.start()
        if reason is None:
            self._sources.watch(runner.socket.fileno(), self._source, runner.events)
        else:
            self._fail(runner, reason, now)

    def _fail(self, runner: _Runner, reason: Reason, now: float) -> None:
        self._running.remove(runner)
        self._sources.unwatch(runner.socket.fileno())
        runner.socket.close()
        self._failed.setdefault(reason, runner.target.address)
        self._next = now  # no need to wait for what has failed

    def _answer(self, address: str, found: list[Resolved]) -> None:
        self._resolved.append((address, found))
        self._sources.post(self._source)

    def _telling(self, *, late: bool) -> tuple[Reason, str]:
        if late:
            for runner in self._running:
                self._failed.setdefault("unreachable", runner.target.address)
        for reason in _TELLING:
            if reason in self._failed:
                return reason, self._failed[reason]
        return "unresolved", self._first


def near_networks(addresses: Sequence[str]) -> Networks:
    """Return the networks that count as near to a node bound to ``addresses``."""
    networks: list[IPv4Network | IPv6Network] = [IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")]
    for text in addresses:
        address = ip_address(text.partition("%")[0])
        if not address.is_unspecified:
            network = IPv4Network if address.version == 4 else IPv6Network
            networks.append(network((int(address), 24 if address.version == 4 else 64), strict=False))
    return tuple(networks)


def _parse(address: str) -> list[_Target] | tuple[str, int] | None:
    """Return where ``address`` leads, the host and port to ask for, or ``None`` where it leads nowhere."""
    scheme, _, rest = address.partition("://")
    if scheme == "ipc" and rest:
        return [_Target(address, address, _unix(), rest)] if hasattr(socket, "AF_UNIX") else None
    host, _, port = rest.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if scheme != "tcp" or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        return None
    return [_tcp(address, *found) for found in numeric(host, int(port))] or (host, int(port))


def _tcp(address: str, family: int, where: tuple[Any, ...]) -> _Target:
    host = f"[{where[0]}]" if family == socket.AF_INET6 else where[0]
    return _Target(address, f"tcp://{host}:{where[1]}", family, where)


def _distance(target: _Target, near: Networks) -> int:
    if target.family == _unix():
        return 0
    address = ip_address(target.where[0].partition("%")[0])
    return 1 if any(address in network for network in near) else 2


def _unix() -> int:
    return int(getattr(socket, "AF_UNIX", -1))


def _reason(error: int | None) -> Reason:
    if error in (errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET, errno.EPIPE, errno.ENOTSOCK):
        return "refused"
    return "unreachable"
