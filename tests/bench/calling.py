"""How long a round trip takes, one at a time."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from tests.bench.rounds import Company, act, hear, stop
from tests.bench.table import line

COLUMNS: Final = (26, 9, 12, 12, 7, 12, 12, 7)


@dataclass(frozen=True, slots=True)
class Trips:
    """What is compared, and all rounds of it: p50 and p99 in seconds."""

    title: str
    transport: str
    face: str = ""
    server: str = ""
    mesh: list[tuple[float, float]] = field(default_factory=list)
    plain: list[tuple[float, float]] = field(default_factory=list)


def calling(size: float, rounds: int, seconds: float) -> None:
    """Print how long a request takes; no further round begins after so many seconds."""
    all_trips = [
        Trips("request sync", "ipc"),
        Trips("request sync", "tcp"),
        Trips("... from a handler", "ipc", server=" by handler"),
        Trips("request asyncio", "ipc", face=" async"),
        Trips("request asyncio", "tcp", face=" async"),
    ]
    count = max(20, int(2_000 * size))
    company = Company(1)
    ended = time.monotonic() + seconds
    try:
        for number in range(rounds):
            if number and time.monotonic() > ended:
                break
            for trips in all_trips:
                sides = [(_in_mesh, trips.mesh), (_plainly, trips.plain)]
                for play, results in sides if number % 2 == 0 else sides[::-1]:
                    with tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp") as directory:
                        results.append(play(company, trips, directory, count))
    finally:
        company.close()
    show(all_trips)


def _in_mesh(company: Company, trips: Trips, directory: str, count: int) -> tuple[float, float]:
    client, server = company.children
    place = {"name": f"bench-{secrets.token_hex(4)}", "runtime": directory, "transport": trips.transport}
    act(server, f"mesh reply{trips.server}{trips.face}", **place)
    peers = [hear(server, "address")["address"]]
    act(client, f"mesh request{trips.face}", **place, count=count, peers=peers)
    return _took(client, server)


def _plainly(company: Company, trips: Trips, directory: str, count: int) -> tuple[float, float]:
    client, server = company.children
    where = f"ipc://{directory}/r" if trips.transport == "ipc" else "tcp://127.0.0.1:*"
    act(server, f"plain reply{trips.face}", address=where)
    act(client, f"plain request{trips.face}", address=hear(server, "address")["address"], count=count)
    return _took(client, server)


def _took(client: Any, server: Any) -> tuple[float, float]:
    hear(client, "ready")
    client.say("go")
    told = hear(client, "half")
    stop(client)
    stop(server)
    return told["half"], told["most"]


def show(all_trips: Sequence[Trips]) -> None:
    """Print the table."""
    print("\nRound trips of small dicts, one client, one at a time. By pyzmq: DEALER and ROUTER with msgpack,")
    print("or zmq.asyncio with the same. Medians; a ratio is of speeds, as above: 0.5 is twice their time.\n")
    line("", "over", "p50 MeshMQ", "pyzmq", "ratio", "p99 MeshMQ", "pyzmq", "ratio", columns=COLUMNS)
    for trips in all_trips:
        cells = []
        for which in (0, 1):
            ours, theirs = [one[which] for one in trips.mesh], [one[which] for one in trips.plain]
            ratio = median(their / our for our, their in zip(ours, theirs, strict=True))
            cells += [f"{median(ours) * 1e6:,.0f} us", f"{median(theirs) * 1e6:,.0f} us", f"{ratio:.2f}"]
        line(trips.title, trips.transport, *cells, columns=COLUMNS)
    print(f"\n{min(len(one.mesh) for one in all_trips)} rounds, ours and theirs in turn.")
