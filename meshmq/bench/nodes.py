"""The nodes of a run: they meet each other over one transport and no other."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from meshmq.bench.work import Place, Work
from meshmq.faces.aio import AsyncNode
from meshmq.faces.blocking import Node
from meshmq.settings import Settings

#: What a module that cannot be imported is for the import system.
_MISSING: Final[Any] = None
#: Room for what a value is packed into.
_MARGIN: Final = 1 << 16


@contextlib.contextmanager
def opened(work: Work, place: Place, peers: Sequence[str] = ()) -> Iterator[Node]:
    """Open a node there."""
    with _surroundings(work, place, peers) as options, Node(**options) as node:
        _only_tcp(place)
        yield node


@contextlib.asynccontextmanager
async def opened_async(work: Work, place: Place, peers: Sequence[str] = ()) -> AsyncIterator[AsyncNode]:
    """Do as ``opened`` on an event loop."""
    with _surroundings(work, place, peers) as options:
        async with AsyncNode(**options) as node:
            _only_tcp(place)
            yield node


def address(node: Node | AsyncNode) -> str:
    """Return where its peers find it: the control port."""
    return node.addresses[-1].removeprefix("tcp://")


@contextlib.contextmanager
def _surroundings(work: Work, place: Place, peers: Sequence[str]) -> Iterator[dict[str, Any]]:
    options: dict[str, Any] = {"mesh": place.mesh, "secret": place.secret}
    if work.size is not None and work.size + _MARGIN > Settings().message_bytes:
        options["settings"] = Settings(message_bytes=work.size + _MARGIN)
    os.environ.pop("MESHMQ_INTERFACES", None)
    if place.interfaces:
        os.environ["MESHMQ_INTERFACES"] = place.interfaces
    sys.modules["zeroconf.asyncio"] = _MISSING  # addresses are given
    if place.transport == "ipc":
        os.environ["MESHMQ_RUNTIME_DIR"] = place.directory
        yield options
        return
    with tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp") as alone:
        os.environ["MESHMQ_RUNTIME_DIR"] = alone
        yield {**options, "insecure": place.secret is None, "peers": peers}


def _only_tcp(place: Place) -> None:
    """Take the node's unix sockets away from those who know their path from its card."""
    if place.transport == "tcp":
        for unix_socket in Path(os.environ["MESHMQ_RUNTIME_DIR"]).rglob("*.[cd]"):
            unix_socket.unlink()
