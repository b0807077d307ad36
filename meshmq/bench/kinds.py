"""The kinds of work: who plays what at each side, and the figures that come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean, median
from typing import Any, Final, Literal

from meshmq.bench.latency import summary
from meshmq.bench.work import Face, Kind, Work

Told = Sequence[Mapping[str, Any]]
Unit = Literal["/s", "MB/s", "us", "ms", "s", "%", ""]


@dataclass(frozen=True, slots=True)
class Side:
    """One of those who are compared: what its senders and its receivers play, as ``module:function``."""

    name: str
    sender: str
    receiver: str
    greets: bool = False
    """Whether receivers say that they are ``here`` once they hear the senders, and these wait for it."""

    counted: bool = False
    """Whether receivers know the last message, and tell when it has ``ended`` what senders have ``begun``."""

    share: float = 1.0
    """How much of the work it does: of one that is much slower less says as much."""

    secure: bool | None = None
    """Whether there is a secret; ``None`` leaves it to the work."""

    def part_of(self, work: Work) -> Work:
        """Return what this side does of a work."""
        count = max(work.senders, int(work.count * self.share))
        return replace(work, count=count, secure=work.secure if self.secure is None else self.secure)


@dataclass(slots=True)
class Run:
    """The figures of one run of one side, by their names."""

    figures: dict[str, float]
    curve: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a kind of work."""

    key: str
    title: str
    unit: Unit
    compared: bool = True
    """Whether the ratio of two says something."""


_CPU: Final = (Figure("cpu", "CPU s/million", "s"),)
_TRIPS: Final = tuple(Figure(f"p{percent}", f"p{percent}", "us") for percent in ("50", "90", "99", "99.9", "100"))

FIGURES: Final[dict[Kind, tuple[Figure, ...]]] = {
    "push": (Figure("rate", "messages/s", "/s"), *_CPU),
    "large": (Figure("bytes", "MB/s", "MB/s"), Figure("rate", "messages/s", "/s"), *_CPU),
    "publish": (
        Figure("rate", "slowest gets", "/s"),
        Figure("average", "in the mean", "/s"),
        Figure("lost", "lost", "%", compared=False),
        Figure("cpu", "CPU s/million sent", "s"),
        Figure("cpu_heard", "CPU s/million heard", "s"),
    ),
    "request": (Figure("rate", "requests/s", "/s"), Figure("typical", "typical", "us"), *_TRIPS, *_CPU),
    "discover": (
        Figure("first", "first job done", "ms"),
        Figure("roster", "all are known", "ms"),
        Figure("start", "from program start", "ms"),
    ),
}


def mesh(kind: Kind, face: Face) -> Side:
    """Return MeshMQ's side."""
    sender, receiver = {
        "push": ("push:push", "push:pull"),
        "large": ("push:push", "push:pull"),
        "publish": ("publish:publish", "publish:subscribe"),
        "request": ("request:request", "request:reply"),
        "discover": ("discover:come", "discover:pull"),
    }[kind]
    more = "_async" if face == "async" else ""
    return Side("MeshMQ", f"meshmq.bench.{sender}{more}", f"meshmq.bench.{receiver}{more}")


def plain(kind: Kind, face: Face) -> Side:
    """Return the side of bare pyzmq."""
    sender, receiver = {
        "push": ("push:push", "push:pull"),
        "large": ("large:push", "large:pull"),
        "publish": ("publish:publish", "publish:subscribe"),
        "request": ("request:request", "request:reply"),
        "discover": ("discover:come", "discover:pull"),
    }[kind]
    if face == "async":
        sender, receiver = (f"aio:{part.partition(':')[2]}" for part in (sender, receiver))
    name = "zmq.asyncio" if face == "async" else "pyzmq"
    return Side(name, f"meshmq.bench.plain.{sender}", f"meshmq.bench.plain.{receiver}", greets=kind == "publish")


def figures(work: Work, senders: Told, receivers: Told, cpu: float) -> Run:
    """Return what came of what all have told, and of the seconds of processor time they used."""
    return _READ[work.kind](work, senders, receivers, {"cpu": cpu / work.total * 1e6})


def _rate(work: Work, senders: Told, receivers: Told, found: dict[str, float]) -> Run:
    return Run({"rate": work.total / max(one["seconds"] for one in senders), **found})


def _bytes(work: Work, senders: Told, receivers: Told, found: dict[str, float]) -> Run:
    run = _rate(work, senders, receivers, found)
    run.figures["bytes"] = run.figures["rate"] * (work.size or 0) / 1e6
    return run


def _heard(work: Work, senders: Told, receivers: Told, found: dict[str, float]) -> Run:
    for one in receivers:  # of what we publish, whatever does not come is told
        if "missed" in one and one["received"] + one["missed"] != work.total:
            raise AssertionError(f"{one['received']} received and {one['missed']} missed of {work.total}")
    paces = [one["pace"] for one in receivers]
    share = mean(one["received"] for one in receivers) / work.total
    if share:  # what is lost before it is received costs its publisher something, and subscribers nothing
        found["cpu_heard"] = found["cpu"] / share
    return Run({"rate": min(paces), "average": mean(paces), "lost": (1 - share) * 100, **found})


def _trips(work: Work, senders: Told, receivers: Told, found: dict[str, float]) -> Run:
    took = [value for one in senders for value in one["microseconds"]]
    rate = len(took) / max(one["seconds"] for one in senders)
    named, curve = summary(took, scheduled=work.rate is not None)
    return Run({"rate": rate, "typical": median(took), **named, **found}, curve)


def _met(work: Work, senders: Told, receivers: Told, found: dict[str, float]) -> Run:
    run = Run({key: median(senders[0][key]) * 1000 for key in ("first", "roster", "start") if key in senders[0]})
    run.curve = [[turn, took * 1000] for turn, took in enumerate(senders[0]["first"], 1)]
    return run


_READ: Final[dict[Kind, Callable[[Work, Told, Told, dict[str, float]], Run]]] = {
    "push": _rate,
    "large": _bytes,
    "publish": _heard,
    "request": _trips,
    "discover": _met,
}
