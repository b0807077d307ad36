"""Peers whose addresses were given: the way that needs neither multicast nor luck."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Final

from meshmq.discovery.base import Announcement, Found
from meshmq.errors import ConfigError

_PEER: Final = re.compile(r"(?:\[(?P<literal>[^\[\]]+)\]|(?P<host>[^\[\]:]+)):(?P<port>[0-9]{1,5})", re.ASCII)
_HOST: Final = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
_SCOPE: Final = re.compile(r"[\w.:-]{1,15}", re.ASCII)
_HOST_CHARACTERS: Final = 253


def parse_peer(text: object) -> tuple[str, int]:
    """Return host and control port of ``"host:port"`` or ``"[IPv6 address]:port"``.

    Raises:
        ConfigError: ``text`` is not such an address.
    """
    matched = _PEER.fullmatch(text) if isinstance(text, str) else None
    if matched is None:
        raise _bad(text, "it has a host and a port")
    port = int(matched["port"])
    if not 1 <= port <= 65535:
        raise _bad(text, "the port is between 1 and 65535")
    if (literal := matched["literal"]) is not None:
        if not _is_ipv6(literal):
            raise _bad(text, "an IPv6 address stands in the brackets")
        return literal, port
    host: str = matched["host"]
    if len(host) > _HOST_CHARACTERS or not _HOST.fullmatch(host):
        raise _bad(text, "the host is a name or an address")
    if host.replace(".", "").isdecimal() and not _is_ipv4(host):
        raise _bad(text, "an IPv4 address has four numbers up to 255")
    return host, port


def _bad(text: object, rule: str) -> ConfigError:
    shown = repr(text)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return ConfigError(f"{shown} is not the address of a peer: {rule}, as in '10.0.0.7:5555' or '[fd00::7]:5555'")


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _is_ipv6(text: str) -> bool:
    address, separator, scope = text.partition("%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return not separator or _SCOPE.fullmatch(scope) is not None


class GivenAddresses:
    """Reports the peers it was given, once at the start and again at every refresh.

    Host names are passed on as they are: the dialler resolves them at every attempt, so that a peer
    may move.

    Raises:
        ConfigError: ``peers`` is not a list of addresses.
    """

    name = "addresses"

    def __init__(self, peers: Iterable[str]) -> None:
        if isinstance(peers, str | bytes):
            raise ConfigError(f"peers={peers!r}: it is a list, as in peers=['10.0.0.7:5555']")
        parsed = dict.fromkeys(parse_peer(peer) for peer in peers)
        self._rumours = tuple(
            Found(self.name, (f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}",), None)
            for host, port in parsed
        )
        self._found: Callable[[Found], None] | None = None
        count = len(self._rumours)
        self.status = f"{count} {'address' if count == 1 else 'addresses'} given" if count else "no addresses given"

    def __repr__(self) -> str:
        return f"<GivenAddresses: {self.status}>"

    def start(self, announcement: Announcement, found: Callable[[Found], None]) -> None:
        """Report each address once; the announcement is not needed, for the peers are told by the dial.

        Raises:
            LinkError: never here.
        """
        self._found = found
        self.refresh()

    def refresh(self) -> None:
        """Report each address again."""
        for rumour in self._rumours:
            if (found := self._found) is not None:
                found(rumour)

    def close(self) -> None:
        """Report no more."""
        self._found = None
