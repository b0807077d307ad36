"""Which IP addresses of this machine a node is bound to: what people ask for, and what is sensible."""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final

from meshmq.discovery.adapters import Adapter, adapters
from meshmq.errors import ConfigError

# Networks that end inside this machine: few peers are reached through them, so they come last.
_INNER: Final = re.compile(
    r"docker|br-|veth|virbr|vmnet|vboxnet|vnet|lxc|lxd|cni|cali|flannel|podman|utun|tun|tap|wg|zt|tailscale|vEthernet"
)
_EVERY: Final = frozenset({"*", "0.0.0.0"})
_SIOCGIFFLAGS: Final = 0x8913
_IFF_UP: Final = 1


@dataclass(frozen=True, slots=True)
class Interfaces:
    """What a node is to be bound to, as its user names it; ``""`` is whatever leads out of this machine."""

    text: str = ""

    def addresses(self) -> tuple[str, ...]:
        """Return the IP addresses that are meant today; loopback where nothing is named and nothing leads out.

        Raises:
            ConfigError: as ``parse_interfaces``.
        """
        return parse_interfaces(self.text) if self.text else usable_interfaces() or ("127.0.0.1",)

    def __call__(self) -> tuple[str, ...]:
        """Return as much of ``addresses`` as there is at this moment: an interface may just have none."""
        try:
            return self.addresses()
        except ConfigError:
            return ()

    @property
    def may_change(self) -> bool:
        """Whether anything but addresses is named: those stay what they are."""
        return not self.text or not all(_is_address(part.strip()) for part in self.text.split(",") if part.strip())


def parse_interfaces(text: str) -> tuple[str, ...]:
    """Return the IP addresses meant by ``text``: addresses or names of interfaces, parted by commas.

    The name of an interface stands for its IPv4 addresses, or its IPv6 addresses where it has no
    other; ``*`` for what ``usable_interfaces`` returns.

    Raises:
        ConfigError: a part is neither an address nor an interface that has one, or nothing is left.
    """
    wanted: dict[str, None] = {}
    for part in (piece.strip() for piece in text.split(",")):
        if part:
            wanted.update(dict.fromkeys(usable_interfaces() if part in _EVERY else _addresses_of(part)))
    if not wanted:
        raise ConfigError(f"{text!r} names no interface: write addresses or names, as in '10.0.0.7' or 'eth0,wlan0'")
    return tuple(wanted)


def usable_interfaces() -> tuple[str, ...]:
    """Return the IPv4 addresses of all interfaces that are up and lead out of this machine.

    Loopback and link-local addresses are left out; bridges and tunnels of containers, virtual
    machines and private networks come last. Empty when there are none.

    Raises:
        ConfigError: the interfaces of this machine cannot be listed.
    """
    usable = [
        adapter
        for adapter in adapters()
        if isinstance(address := ipaddress.ip_address(adapter.address), ipaddress.IPv4Address)
        and not (address.is_loopback or address.is_link_local or address.is_unspecified)
        and _is_up(adapter.name)
    ]
    usable.sort(key=lambda adapter: _INNER.match(adapter.name) is not None)
    return tuple(dict.fromkeys(adapter.address for adapter in usable))


def _addresses_of(part: str) -> list[str]:
    if _is_address(part):
        return [part]
    here = adapters()
    mine = [adapter for adapter in here if adapter.name == part]
    if not mine:
        raise ConfigError(f"there is no interface {part!r} with an address here; {_listed(here)}")
    four = [adapter.address for adapter in mine if ":" not in adapter.address]
    return four or [adapter.address for adapter in mine]


def _is_address(part: str) -> bool:
    try:
        ipaddress.ip_address(part)
    except ValueError:
        return False
    return True


def _listed(here: list[Adapter]) -> str:
    names = ", ".join(sorted({adapter.name for adapter in here}))
    return f"there are {names}" if names else "there is none at all"


def _is_up(name: str) -> bool:
    """Ask the kernel, where asking is the same on every machine; elsewhere an address counts as up."""
    if sys.platform != "linux":
        return True
    import fcntl

    request = struct.pack("16sH14x", name.encode()[:15], 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, _SIOCGIFFLAGS, request)
        except OSError:
            return False
    flags: int = struct.unpack_from("16xH", answer)[0]
    return bool(flags & _IFF_UP)
