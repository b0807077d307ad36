"""How many messages a second each of several subscribers gets, and how many it misses."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Final

from tests.bench.rounds import Company, act, hear, stop
from tests.bench.table import line

COLUMNS: Final = (26, 9, 12, 12, 7, 12, 7, 9, 9)


@dataclass(frozen=True, slots=True)
class Heard:
    """One side of one round: messages per second, of the slowest subscriber and of all in the mean.

    ``lost`` is the share of what was published that did not come, in the mean.
    """

    slowest: float
    average: float
    lost: float


@dataclass(frozen=True, slots=True)
class Audience:
    """What is compared, and all rounds of it."""

    transport: str
    subscribers: int
    count: int
    mesh: list[Heard] = field(default_factory=list)
    plain: list[Heard] = field(default_factory=list)


def publishing(sizes: Sequence[int], size: float, rounds: int, seconds: float) -> None:
    """Print how fast small dicts are published to one, and to several; no further round after so many seconds."""
    audiences = [
        Audience(transport, subscribers, max(20, int(120_000 * size / subscribers**0.5)))
        for subscribers in sizes
        for transport in ("ipc", "tcp")
    ]
    company = Company(max(sizes))
    ended = time.monotonic() + seconds
    try:
        for number in range(rounds):
            if number and time.monotonic() > ended:
                break
            for audience in audiences:
                sides = [(_in_mesh, audience.mesh), (_plainly, audience.plain)]
                for play, results in sides if number % 2 == 0 else sides[::-1]:
                    with tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp") as directory:
                        results.append(play(company, audience, directory))
    finally:
        company.close()
    show(audiences)


def _in_mesh(company: Company, audience: Audience, directory: str) -> Heard:
    publisher, subscribers = company.children[0], company.children[1 : 1 + audience.subscribers]
    place = {"name": f"bench-{secrets.token_hex(4)}", "runtime": directory, "transport": audience.transport}
    for child in subscribers:
        act(child, "mesh subscribe", **place)
    addresses = [hear(child, "address")["address"] for child in subscribers]
    act(publisher, "mesh publish", **place, count=audience.count, subscribers=len(subscribers), peers=addresses)
    hear(publisher, "ready")
    publisher.say("go")
    begun = hear(publisher, "begun")["begun"]
    told = [hear(child, "received") for child in subscribers]
    for child in (publisher, *subscribers):
        stop(child)
    for one in told:
        if one["received"] + one["missed"] != audience.count:
            raise AssertionError(f"{one['received']} received and {one['missed']} missed of {audience.count}")
    return _heard(audience, begun, told)


def _plainly(company: Company, audience: Audience, directory: str) -> Heard:
    publisher, subscribers = company.children[0], company.children[1 : 1 + audience.subscribers]
    where = f"ipc://{directory}/p" if audience.transport == "ipc" else "tcp://127.0.0.1:*"
    act(publisher, "plain publish", address=where, count=audience.count)
    bound = hear(publisher, "address")["address"]
    for child in subscribers:
        act(child, "plain subscribe", address=bound)
    for child in subscribers:
        hear(child, "here")
    publisher.say("go")
    begun = hear(publisher, "begun")["begun"]
    told = [hear(child, "received") for child in subscribers]
    for child in (publisher, *subscribers):
        stop(child)
    return _heard(audience, begun, told)


def _heard(audience: Audience, begun: float, told: Sequence[dict[str, float]]) -> Heard:
    rates = [one["received"] / (one["last"] - begun) for one in told]
    return Heard(min(rates), mean(rates), 1 - mean(one["received"] for one in told) / audience.count)


def show(audiences: Sequence[Audience]) -> None:
    """Print the table."""
    print("\nSmall dicts published at full speed; received per second, by the slowest subscriber and in the mean.")
    print("By pyzmq: PUB/SUB, topic and msgpack in one frame. Lost: in the mean; ours is told, and adds up. Medians.\n")
    line("", "over", "MeshMQ", "pyzmq", "ratio", "mean MeshMQ", "ratio", "lost ours", "pyzmq", columns=COLUMNS)
    for audience in audiences:
        pairs = list(zip(audience.mesh, audience.plain, strict=True))
        line(
            f"publish 1:{audience.subscribers}",
            audience.transport,
            f"{median(one.slowest for one in audience.mesh):,.0f}/s",
            f"{median(one.slowest for one in audience.plain):,.0f}/s",
            f"{median(ours.slowest / theirs.slowest for ours, theirs in pairs):.2f}",
            f"{median(one.average for one in audience.mesh):,.0f}/s",
            f"{median(ours.average / theirs.average for ours, theirs in pairs):.2f}",
            f"{median(one.lost for one in audience.mesh):.0%}",
            f"{median(one.lost for one in audience.plain):.0%}",
            columns=COLUMNS,
        )
    print(f"\n{min(len(one.mesh) for one in audiences)} rounds, ours and theirs in turn.")
