"""Where a node is: what its arguments and the environment say, opened into links and discovery."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeVar, get_args

from meshmq.discovery.addresses import GivenAddresses
from meshmq.discovery.base import Announcement, Discovery, Found
from meshmq.discovery.interfaces import Interfaces
from meshmq.discovery.same_host import SameHost
from meshmq.drivers.keeper import keeper
from meshmq.errors import ConfigError
from meshmq.links.authenticator import authenticator
from meshmq.links.base import LinkName, Links
from meshmq.links.security import Keys, derive, load_secret
from meshmq.links.sockets import ZmqLinks
from meshmq.settings import Settings

_logger: Final = logging.getLogger("meshmq.node")
_OPEN_ALONE: Final = "open to this user on this machine only; to meet others: meshmq keys new"
_NO_PORT: Final = (
    "has no effect without a secret or insecure=True: the node is open to this user on this machine only; "
    "meshmq keys new makes a secret"
)
_told: set[str] = set()
ValueT = TypeVar("ValueT")

#: Told of a node of the same mesh with another secret: its name, address and tag.
Stranger = Callable[[str, str, bytes], None]


@dataclass(frozen=True, slots=True)
class Place:
    """What a node is opened with."""

    links: Links
    discoveries: Sequence[Discovery]
    clock: Callable[[], float] = time.monotonic
    interfaces: tuple[str, ...] = ()
    tag: bytes = b""
    #: Seconds until the LAN may be thought to have answered.
    settle: float = 0.0

    def announce(self, node_id: bytes, name: str, mesh: str, found: Callable[[Found], None]) -> None:
        """Show the node to others and have ``found`` called for each of them.

        Raises:
            LinkError: this machine refuses what is needed.
        """
        tcp = [address for address in self.links.bound.control if address.startswith("tcp://")]
        port = int(tcp[0].rpartition(":")[2]) if tcp else None
        announcement = Announcement(node_id, name, mesh, self.tag, port, self.interfaces)
        for discovery in self.discoveries:
            discovery.start(announcement, found)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Which doors a node opens and where it looks for others."""

    secret: str | None
    insecure: bool
    given: GivenAddresses | None
    port: int | None
    interfaces: Interfaces

    @classmethod
    def read(cls, secret: str | None, insecure: bool, peers: Sequence[str], port: int | None) -> Self:
        """Return what the arguments say, and the environment where they are silent.

        Raises:
            ConfigError: something cannot be used; the sentence names it.
        """
        if type(insecure) is not bool:  # "no" would count as true, and open the node to everybody
            raise ConfigError(f"insecure={insecure!r}: it is True or False")
        secret = load_secret(secret, os.environ)
        first_port = _port(port) if port is not None else variable("MESHMQ_PORT", _port)
        if port is not None and secret is None and not insecure:
            raise ConfigError(f"port={port!r} {_NO_PORT}")
        return cls(
            secret,
            insecure,
            GivenAddresses(peers) if peers else variable("MESHMQ_PEERS", _addresses),
            first_port,
            variable("MESHMQ_INTERFACES", _interfaces) or Interfaces(),
        )

    def open(self, mesh: str, node_id: bytes, settings: Settings, stranger: Stranger) -> Place:
        """Bind the links, and have the ways of discovery ready.

        Raises:
            LinkError: an address or the private directory cannot be opened.
        """
        keys = derive(self.secret) if self.secret is not None else None
        interfaces: tuple[str, ...] = ()
        if keys is not None or self.insecure:
            interfaces = self.interfaces.addresses()
        same_host = SameHost(mesh, node_id)
        try:
            links = self._bind(same_host, interfaces, keys, settings)
        except BaseException:
            same_host.close()
            raise
        discoveries: list[Discovery] = [same_host]
        if self.given is not None:
            discoveries.append(self.given)
        if interfaces:
            from meshmq.discovery.zeroconf import ZeroconfDiscovery  # with asyncio, which a node alone does not need

            discoveries.append(ZeroconfDiscovery(interfaces, stranger, self._follow))
        else:
            if self.port is not None and _once("port"):
                _logger.warning("MESHMQ_PORT=%d %s", self.port, _NO_PORT)
            if _once("alone"):
                _logger.info(_OPEN_ALONE)
        if self.insecure and keys is None and _once("insecure"):
            _logger.warning("insecure=True: everybody on the network can read, push and pull here, in clear")
        tag = keys.tag if keys is not None else b""
        settle = settings.settle if interfaces else 0.0
        return Place(links, discoveries, interfaces=interfaces, tag=tag, settle=settle)

    def _bind(
        self, same_host: SameHost, interfaces: tuple[str, ...], keys: Keys | None, settings: Settings
    ) -> ZmqLinks:
        guard = authenticator()
        keeper().attach_service(guard)
        return ZmqLinks(
            ipc={link: same_host.endpoint(link) for link in get_args(LinkName)},
            tcp=interfaces,
            port=self.port,
            keys=keys,
            authenticator=guard,
            message_bytes=settings.message_bytes,
            heartbeat=settings.heartbeat,
            silence=settings.silence,
            shared_memory=settings.shared_memory,
            follow=self._follow,
        )

    @property
    def _follow(self) -> Interfaces | None:
        return self.interfaces if self.interfaces.may_change else None

    def reason(self, tag: bytes) -> str:
        """Return why we and a node that shows ``tag`` do not get together."""
        if not tag:
            return "no_secret"
        return "wrong_secret" if self.secret is not None else "secret_needed"


def variable(name: str, read: Callable[[str], ValueT]) -> ValueT | None:
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


def program() -> str:
    """Return the name of a node that was given none: ``<program>-<pid>``."""
    stem = Path(sys.argv[0] if sys.argv else "").stem
    if stem in ("", "-c", "-", "-m", "__main__"):
        stem = Path(sys.argv[0]).resolve().parent.name if stem == "__main__" else "python"
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem)
    return f"{kept or 'python'}-{os.getpid()}"


def _interfaces(text: str) -> Interfaces:
    interfaces = Interfaces(text)
    interfaces.addresses()  # what cannot be used is told at once
    return interfaces


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
