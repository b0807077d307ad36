"""What is compared with what: works, and who does them besides MeshMQ, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, get_args

from meshmq.bench.kinds import Side, mesh, plain
from meshmq.bench.rounds import Compared, Scene
from meshmq.bench.work import Face, Kind, Transport, Work
from tests.bench import batched, devices
from tests.bench.brokers import NATS, RABBITMQ, REDIS, Broker, cpu_of

#: The rivals with the module each needs, and how that is installed.
PACKAGES: Final = {
    "pynng": ("pynng", "pynng"),
    "zenoh": ("zenoh", "eclipse-zenoh"),
    "nats": ("nats", "nats-py"),
    "redis": ("redis", "redis"),
    "rabbitmq": ("pika", "pika"),
}
SERVERS: Final = {"nats": NATS, "redis": REDIS, "rabbitmq": RABBITMQ}


@dataclass(frozen=True)
class FieldScene(Scene):
    """Counts what servers use, too."""

    pids: Mapping[str, int] = field(default_factory=dict)

    def cpu(self, side: Side) -> float:
        """Return the seconds of processor time used until now by all who take part, and the server."""
        server = cpu_of(self.pids[side.name]) if side.name in self.pids else 0.0
        return super().cpu(side) + server


def rivals(name: str, part: str) -> tuple[Side, ...]:
    """Return what a rival does in this part, if it is installed."""
    if find_spec(PACKAGES[name][0]) is None or (name in SERVERS and SERVERS[name].missing):
        return ()
    module: Any = import_module(f"tests.bench.{name}")
    return (getattr(module, part),)


def missing() -> list[str]:
    """Return what is not compared, and how it could be."""
    packages = [package for module, package in PACKAGES.values() if find_spec(module) is None]
    debian = [broker.package for broker in SERVERS.values() if broker.missing]
    return [
        *([f"{', '.join(packages)} (.venv/bin/pip install -e '.[bench]')"] if packages else []),
        *([f"{', '.join(debian)} (apt-get install {' '.join(debian)})"] if debian else []),
    ]


def servers() -> list[Broker]:
    """Return the servers that can be compared with."""
    return [SERVERS[name] for name in SERVERS if rivals(name, "PUSH")]


def sections(size: float, subscribers: Sequence[int]) -> dict[str, list[Compared]]:
    """Return what is compared, by section; ``size`` 1 is what takes about half a second each."""

    def work(kind: Kind, count: int, transport: Transport, **more: Any) -> Work:
        return Work(kind=kind, count=max(40, int(count * size)), transport=transport, **more)

    found: dict[str, list[Compared]] = {}
    for transport in get_args(Transport):
        ours, theirs = mesh("push", "sync"), plain("push", "sync")
        found.setdefault("push", []).extend(
            [
                Compared(work("push", 200_000, transport), [ours, theirs, batched.PUSH, *rivals("pynng", "PUSH")]),
                Compared(work("push", 50_000, transport, face="async"), [*both("push", "async")]),
                Compared(work("push", 200_000, transport, receivers=4), [ours, theirs]),
                Compared(work("push", 200_000, transport, senders=4), [ours, theirs]),
                Compared(
                    work("push", 200_000, transport, secure=True),
                    [ours, Side("itself in clear", ours.sender, ours.receiver, secure=False)],
                ),
            ]
        )
        found.setdefault("publish", []).extend(
            Compared(
                work("publish", int(120_000 / number**0.5), transport, receivers=number),
                [*both("publish"), *rivals("zenoh", "PUBLISH")],
            )
            for number in subscribers
        )
        handled = Side("by handler", mesh("request", "sync").sender, "meshmq.bench.request:reply_by_handler")
        tasked = Side("by handler", mesh("request", "async").sender, "meshmq.bench.request:reply_by_handler_async")
        found.setdefault("request", []).extend(
            [
                Compared(work("request", 3_000, transport), [*both("request"), handled, *rivals("pynng", "REQUEST")]),
                Compared(work("request", 3_000, transport, face="async"), [*both("request", "async"), tasked]),
                Compared(work("request", 6_400, transport, in_flight=32), [*both("request")]),
                Compared(
                    work("request", 6_400, transport, in_flight=32, face="async"), [*both("request", "async"), tasked]
                ),
            ]
        )
        found.setdefault("large", []).extend(
            Compared(work("large", number, transport, size=each, array=True), [*both("large")])
            for each, number in ((1_000_000, 2_000), (16_000_000, 125))
        )
        found.setdefault("discover", []).append(
            Compared(work("discover", 5, transport, receivers=4), [*both("discover")])
        )
    brokered = [side for name in SERVERS for side in rivals(name, "PUSH")]
    found["brokers"] = [Compared(work("push", 200_000, "tcp"), [mesh("push", "sync"), *brokered])] if brokered else []
    found["device"] = _through(work)
    return found


def both(kind: Kind, face: Face = "sync") -> tuple[Side, Side]:
    """Return MeshMQ and bare sockets."""
    return mesh(kind, face), plain(kind, face)


def _through(work: Any) -> list[Compared]:
    """Return what is compared of devices, and of workers with paces."""
    several = len(devices.PACES)
    return [
        Compared(work("push", 2_220, "ipc", receivers=several), [devices.PACED, devices.PACED_PLAINLY]),
        Compared(work("push", 150_000, "ipc"), [devices.THROUGH, devices.DIRECTLY]),
        Compared(work("push", 150_000, "tcp"), [devices.THROUGH, devices.DIRECTLY]),
        Compared(work("push", 150_000, "ipc", receivers=4), [devices.THROUGH, devices.DIRECTLY]),
        Compared(work("push", 2_220, "ipc", receivers=several), [devices.PACED_THROUGH, devices.PACED_DIRECTLY]),
        Compared(work("push", 150_000, "ipc"), [devices.TAPPED, devices.THROUGH]),
    ]
