"""A mesh of real nodes inside one test: no socket of the network, no address, no other process."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from meshmq.faces.aio import AsyncNode
from meshmq.faces.blocking import Node
from meshmq.names import check_name, short
from meshmq.node import BaseNode
from meshmq.settings import Settings
from meshmq.testing.clock import HandClock
from meshmq.testing.discovery import MemoryDirectory, MemoryDiscovery
from meshmq.testing.memory import MemoryNetwork
from meshmq.testing.memory_links import MemoryLinks
from meshmq.whereabouts import Place

_MESH_BYTES: Final = 4


class Network:
    """Where the nodes of a test live; a mesh of its own, by default under a random name.

    ::

        with meshmq.testing.Network() as network:
            with network.node("camera") as camera, network.node("store") as store: ...

    ``clock`` is ``time.monotonic`` or a ``HandClock``, by which nodes decide; how long a call waits
    is real time in either case. ``memory`` is the network itself; its ``cut``, ``heal``, ``freeze``
    and ``thaw`` take the names of nodes. Leaving it (``with`` or ``async with``) closes every node
    that is still open at once, the newest first, then every link.

    Raises:
        NameInvalid: ``mesh`` cannot be the name of a mesh.
    """

    def __init__(self, *, mesh: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.mesh = check_name("mesh", mesh if mesh is not None else f"test-{secrets.token_hex(_MESH_BYTES)}")
        self.clock = clock
        self.memory = MemoryNetwork()
        self.directory = MemoryDirectory()
        self._closers: list[Callable[[], object]] = []
        self._nodes: list[BaseNode] = []
        if isinstance(clock, HandClock):
            clock.listen(self._wake)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Network {self.mesh!r} with {self.memory!r}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in reversed(self._nodes):
            if isinstance(node, AsyncNode):
                await node.close(0)
        self.close()

    def node(self, name: str | None = None, *, settings: Settings | None = None) -> Node:
        """Return a new ``meshmq.Node`` in this network, not opened yet; what it leaves undelivered raises at the end.

        Raises:
            NameInvalid: ``name`` cannot be the name of a node.
        """
        node = Node(self._name(name), mesh=self.mesh, settings=settings)
        self._settle(node)
        self.at_close(lambda: node.close(0))
        return node

    def async_node(self, name: str | None = None, *, settings: Settings | None = None) -> AsyncNode:
        """Return a new ``meshmq.AsyncNode`` in this network; close it, or leave the network with ``async with``.

        Raises:
            NameInvalid: ``name`` cannot be the name of a node.
        """
        node = AsyncNode(self._name(name), mesh=self.mesh, settings=settings)
        self._settle(node)
        return node

    def open_place(self, node_id: bytes, name: str) -> Place:
        """Return what a node called ``name`` is opened with; the node closes its links and discovery."""
        links = open_links(self, node_id, name)
        discovery = MemoryDiscovery(self.directory, links.bound.control)
        return Place(links, [discovery], self.clock)

    def at_close(self, closer: Callable[[], object]) -> None:
        """Call ``closer`` when the network closes, before those that were given earlier."""
        self._closers.append(closer)

    def advance(self, seconds: float) -> None:
        """Move the clock in the test's hand.

        Raises:
            TypeError: the network runs on the machine's clock.
        """
        if not isinstance(self.clock, HandClock):
            raise TypeError("this network runs on the machine's clock: make it with Network(clock=HandClock())")
        self.clock.advance(seconds)

    def close(self) -> None:
        """Close every node made here, then every link; what a node raises is raised when all are closed."""
        failures: list[Exception] = []
        while self._closers:
            try:
                self._closers.pop()()
            except Exception as failure:  # every node must get its turn
                failures.append(failure)
        self.memory.close()
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise ExceptionGroup("several nodes could not be closed well", failures)

    def _name(self, name: str | None) -> str:
        return name if name is not None else f"node-{len(self._nodes) + 1}"

    def _settle(self, node: BaseNode) -> None:
        node._place = self.open_place(node._id, node.name)
        self._nodes.append(node)

    def _wake(self) -> None:
        for node in self._nodes:
            if node._engine is not None and not node.closed:
                node._engine.wake()


def open_links(network: Network, node_id: bytes, name: str) -> MemoryLinks:
    """Return links at the node's name, or beside it where a living node of the network has that name."""
    return network.memory.links(f"{name}-{short(node_id)}" if network.memory.has(name) else name)
