"""Finds the nodes on the local network by multicast DNS; the only importer of zeroconf.

All nodes of a process on the same interfaces share one *responder*: a thread with a loop of its own
and one Zeroconf in it (one for every node costs threads, sockets and traffic). Everything that
touches zeroconf runs in that loop; what is outside only posts to it. Nothing here may stop a node:
what fails becomes the status, and the next refresh tries again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from meshmq.discovery.adapters import Adapter, adapters
from meshmq.discovery.base import Announcement, Found
from meshmq.discovery.multicast import trouble_with
from meshmq.discovery.records import Sighting, instance_of, properties_of, read_records
from meshmq.discovery.shared_loop import Shared, SharedLoop

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

SERVICE_TYPE: Final = "_meshmq._tcp.local."

_logger = logging.getLogger("meshmq.discovery")

_RESOLVED_AT_ONCE: Final = 32  # more fail in a storm (FACT 25)
_RESOLVE_MILLISECONDS: Final = 3000
_SERVICES_AT_MOST: Final = 10_000
_CLOSE_WITHIN: Final = 1.0


#: The addresses of a responder, or what says of which they are at the time; equal ones share it.
_Key = tuple[str, ...] | Callable[[], tuple[str, ...]]


class ZeroconfDiscovery:
    """Announces a node on the local network and finds the others of its mesh and secret.

    ``interfaces`` are IP addresses of this machine; ``follow``, where it is given, says at each refresh what they are
    by then. ``stranger(name, address, tag)`` is told once of each node of the same mesh with another secret, from the
    responder's thread.
    """

    name = "zeroconf"

    def __init__(
        self,
        interfaces: Sequence[str],
        stranger: Callable[[str, str, bytes], None] | None = None,
        follow: Callable[[], tuple[str, ...]] | None = None,
    ) -> None:
        self.interfaces = tuple(dict.fromkeys(interfaces))
        self._key: _Key = follow or self.interfaces
        self._stranger = stranger
        self.announcement: Announcement | None = None
        self._found: Callable[[Found], None] | None = None
        self._responder: _Responder | None = None
        self._met: set[bytes] = set()
        self._strangers: set[bytes] = set()
        self._trouble = "not started"

    def __repr__(self) -> str:
        return f"<ZeroconfDiscovery: {self.status}>"

    @property
    def status(self) -> str:
        """One phrase: what it does, or why it does nothing and what repairs that."""
        return self._trouble or f"{len(self._met)} found on {', '.join(self.interfaces)}"

    def start(self, announcement: Announcement, found: Callable[[Found], None]) -> None:
        """Announce and browse, in the responder's thread.

        Raises:
            LinkError: never here; ``status`` says what is wrong.
        """
        if announcement.port is None or not announcement.interfaces or not self.interfaces:
            self._trouble = "off, this node is open to this machine only"
            return
        self.announcement, self._found = announcement, found
        self._trouble = "starting"
        self._responder = _responders.acquire(self._key)
        self._responder.loop.post(self._responder.join, self, announcement)

    def refresh(self) -> None:
        """Announce again and report again who is still known; start again what could not start."""
        if (responder := self._responder) is not None and responder.loop.is_ours:
            responder.loop.post(responder.refresh, self)

    def close(self) -> None:
        """Say goodbye. Waits one second at most; what is not done by then ends with the process."""
        responder, self._responder, self._found = self._responder, None, None
        self._trouble = "closed"
        if responder is not None and responder.loop.is_ours:
            last = _responders.release(self._key)
            responder.loop.finish(responder.leave, self, last, within=_CLOSE_WITHIN, last=last)

    def note(self, trouble: str) -> None:
        """Take the state of the responder: what keeps it from working, or ``""``; a new trouble is logged."""
        if self._found is not None:
            before, self._trouble = self._trouble, trouble
            if trouble not in ("", before):
                _logger.warning("zeroconf is %s", trouble)

    def hear(self, sighting: Sighting) -> None:
        """Pass on what concerns this node."""
        announcement, found = self.announcement, self._found
        if announcement is None or found is None:
            return
        if sighting.mesh != announcement.mesh or sighting.node_id == announcement.node_id:
            return
        try:
            if sighting.tag == announcement.tag:
                _remember(self._met, sighting.node_id)
                found(Found(self.name, sighting.addresses, sighting.node_id))
            elif self._stranger is not None and _remember(self._strangers, sighting.node_id):
                self._stranger(sighting.name, sighting.addresses[0], sighting.tag)
        except Exception:  # the listener's, not ours: the responder goes on for the other nodes
            _logger.exception("zeroconf: what was found could not be passed on")


def _remember(ids: set[bytes], node_id: bytes) -> bool:
    """Add an id to a bounded set and return whether it is new."""
    if node_id in ids or len(ids) >= _SERVICES_AT_MOST:
        return False
    ids.add(node_id)
    return True


class _Responder:
    """One Zeroconf for all members. Its coroutines run in its loop, one at a time where they change it."""

    def __init__(self, key: _Key) -> None:
        self._key = key
        self._interfaces: tuple[str, ...] = () if callable(key) else key
        self._members: dict[ZeroconfDiscovery, AsyncServiceInfo] = {}
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._layout: list[Adapter] = []
        self._known: set[str] = set()
        self._resolving: set[str] = set()
        self._changing = asyncio.Lock()
        self._slots = asyncio.Semaphore(_RESOLVED_AT_ONCE)
        self.loop = SharedLoop("meshmq-zeroconf")

    async def join(self, member: ZeroconfDiscovery, announcement: Announcement) -> None:
        """Announce ``member`` and tell it what is known."""
        async with self._changing:
            try:
                info = self._members[member] = _describe(announcement)
                if self._zeroconf is not None:
                    await self._zeroconf.async_register_service(info, cooperating_responders=True)
            except Exception as error:  # whatever a third party fails with, the node goes on
                member.note(_off(error))
                return
            if self._zeroconf is None:
                await self._open()
            else:
                member.note("")
        self._resolve_all()

    async def refresh(self, member: ZeroconfDiscovery) -> None:
        """Announce ``member`` again; begin anew where an interface has come, gone or changed."""
        async with self._changing:
            self._follow()
            if self._zeroconf is None or self._layout != self._mine():
                await self._shut(goodbye=False)
                await self._open()
            elif (info := self._members.get(member)) is not None:
                await self._zeroconf.async_update_service(info)
        self._resolve_all()

    async def leave(self, member: ZeroconfDiscovery, last: bool) -> None:
        """Say goodbye for ``member``; stop Zeroconf after the last."""
        async with self._changing:
            info = self._members.pop(member, None)
            with contextlib.suppress(Exception):  # it leaves in any case
                if self._zeroconf is not None and info is not None:
                    # The first goodbye is sent by the task's first step. It is not repeated: a rumour
                    # that lives on costs a dial, and leaving need not wait for that.
                    goodbyes = await self._zeroconf.async_unregister_service(info)
                    await asyncio.sleep(0)
                    asyncio.ensure_future(goodbyes).cancel()
            if last:
                await self._shut()

    async def _open(self) -> None:
        """Start Zeroconf for all members, or tell them why not."""
        trouble = ""
        try:
            from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

            self._follow()
            self._layout = self._mine()
            troubles = {address: trouble_with(address) for address in self._interfaces}
            usable = [_choice(address) for address, trouble in troubles.items() if not trouble]
            if not usable:
                raise OSError("; ".join(dict.fromkeys(troubles.values())))
            self._zeroconf = AsyncZeroconf(interfaces=usable)
            await self._zeroconf.zeroconf.async_wait_for_start()
            for info in self._members.values():
                await self._zeroconf.async_register_service(info, cooperating_responders=True)
            self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE_TYPE, handlers=[self._changed])
        except Exception as error:  # whatever a third party fails with, the node goes on
            trouble = _off(error)
            await self._shut()
        for member in self._members:
            member.note(trouble)

    async def _shut(self, *, goodbye: bool = True) -> None:
        browser, zeroconf = self._browser, self._zeroconf
        self._browser = self._zeroconf = None
        with contextlib.suppress(Exception):  # it goes; its complaints are of no use any more
            if browser is not None:
                await browser.async_cancel()
            if zeroconf is not None:
                if not goodbye:  # by an address that went none can be sent, and that would be logged
                    registry = zeroconf.zeroconf.registry
                    registry.async_remove(registry.async_get_service_infos())
                await zeroconf.async_close()

    def _follow(self) -> None:
        """Take the addresses of today, and show all members at them."""
        if callable(self._key) and (today := self._key()) and today != self._interfaces:
            self._interfaces = today
            for member in self._members:
                member.interfaces = today
                if member.announcement is not None:
                    self._members[member] = _describe(replace(member.announcement, interfaces=today))

    def _mine(self) -> list[Adapter]:
        return [adapter for adapter in adapters() if adapter.address in self._interfaces]

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change.name == "Removed":
            self._known.discard(name)
        elif len(self._known) < _SERVICES_AT_MOST or name in self._known:
            self._known.add(name)
            self._resolve(name)

    def _resolve_all(self) -> None:
        for name in tuple(self._known):
            self._resolve(name)

    def _resolve(self, name: str) -> None:
        if name not in self._resolving:
            self._resolving.add(name)
            self.loop.spawn(self._tell, name)

    async def _tell(self, name: str) -> None:
        """Resolve ``name``, from the cache where possible, and tell every member."""
        from zeroconf.asyncio import AsyncServiceInfo

        sighting = None
        try:
            async with self._slots:
                if self._zeroconf is not None:
                    zeroconf, info = self._zeroconf.zeroconf, AsyncServiceInfo(SERVICE_TYPE, name)
                    if info.load_from_cache(zeroconf) or await info.async_request(zeroconf, _RESOLVE_MILLISECONDS):
                        hosts = info.parsed_scoped_addresses()
                        sighting = read_records(info.get_name(), info.properties, hosts, info.port or 0)
        except Exception as error:  # the records are anybody's, and zeroconf may be shut meanwhile
            _logger.debug("zeroconf: %r cannot be resolved: %r", name, error)
        finally:
            self._resolving.discard(name)
        if sighting is not None:
            for member in tuple(self._members):
                member.hear(sighting)


def _describe(announcement: Announcement) -> AsyncServiceInfo:
    from zeroconf.asyncio import AsyncServiceInfo

    return AsyncServiceInfo(
        SERVICE_TYPE,
        f"{instance_of(announcement)}.{SERVICE_TYPE}",
        port=announcement.port,
        server=f"meshmq-{announcement.node_id.hex()}.local.",
        parsed_addresses=[address.partition("%")[0] for address in announcement.interfaces],
        properties=dict(properties_of(announcement)),
    )


def _off(error: Exception) -> str:
    return f"off, {str(error) or type(error).__name__}; peers=['host:port'] works without it"


def _choice(address: str) -> str | int:
    """Return ``address`` as zeroconf wants it: an IPv6 interface by its number where the address names one."""
    scope = address.partition("%")[2]
    return socket.if_nametoindex(scope) if scope else address


_responders: Final = Shared(_Responder)
