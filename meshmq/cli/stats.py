"""``meshmq stats``: what goes on in the mesh, as all its nodes tell it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

from meshmq.cli.asking import ask_all, names, number, part
from meshmq.cli.joining import joined, settle
from meshmq.cli.options import add_shared
from meshmq.cli.peers import measure, show
from meshmq.cli.plain import to_line
from meshmq.cli.terminal import line, span, table
from meshmq.errands import STATS
from meshmq.errors import MeshError
from meshmq.names import RESERVED
from meshmq.seeing import PeerView

Told = Sequence[tuple[PeerView, dict[str, Any]]]

_EPILOG: Final = """\
A node joins for a moment, asks all others for their counters, and leaves. Numbers are summed over the
nodes, from when each was opened; "per second" is the mean since then. Of topics those are shown that
are published (by their names) and those subscribed to (by their patterns). With --json the counters of
each node stand under "nodes", as its program reads them with node.stats().

examples:
  meshmq stats
  meshmq stats jobs
  meshmq stats --json
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "stats", help="what goes on", description="Show what goes on in queues, services and topics.", epilog=_EPILOG
    )
    parser.add_argument("subject", nargs="?", metavar="NAME", help="a queue, service, topic or node; all without it")
    parser.add_argument("--json", action="store_true", help="for programs")
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look once and print what is seen.

    Raises:
        MeshError: nobody and nothing here has the name asked for.
    """
    with joined(arguments) as node:
        settle(node)
        measure(node)
        told, seen, mesh = ask_all(node, STATS), node.stats(), node.mesh
    subject = arguments.subject
    if subject is not None:
        told = [one for one in told if subject == one[0].name or any(subject in _names(one, kind) for kind in _KINDS)]
        if not told:
            raise MeshError(
                f"nobody in the mesh {mesh!r} is called {subject!r} or pulls it, pushes to it, serves it, asks for it, "
                "publishes it or subscribes to it"
            )
    if arguments.json:
        line(to_line(_plain(told, subject, mesh) | {"observer": {key: seen[key] for key in _OF_THE_OBSERVER}}))
        return 0
    for kind, (head, row) in _KINDS.items():
        rows = [row(told, name) for name in _chosen(told, kind, subject)]
        if rows:
            line(table(head, rows) + "\n")
    line(show([peer for peer, _ in told]) if told else f"nobody else is in the mesh {mesh!r}")
    return 0


def _names(one: tuple[PeerView, dict[str, Any]], kind: str) -> set[str]:
    peer, answer = one
    shown = {"queues": peer.pulls, "services": peer.serves}.get(kind, ())
    return {name for name in (*shown, *names(answer, kind)) if not name.startswith(RESERVED)}


def _chosen(told: Told, kind: str, subject: str | None) -> list[str]:
    """Return the names of one kind; of one that was asked for, that one alone."""
    found = sorted({name for one in told for name in _names(one, kind)})
    everywhere = {name for one in told for other in _KINDS for name in _names(one, other)}
    return [name for name in found if name == subject] if subject in everywhere else found


def _plain(told: Told, subject: str | None, mesh: str) -> dict[str, Any]:
    return {
        "mesh": mesh,
        "queues": {name: _pullers(told, name) for name in _chosen(told, "queues", subject)},
        "services": {name: _servers(told, name) for name in _chosen(told, "services", subject)},
        "topics": _chosen(told, "topics", subject),
        "peers": [peer.as_dict() for peer, _ in told],
        "nodes": {peer.id: answer for peer, answer in told if answer},
    }


def _pullers(told: Told, name: str) -> list[str]:
    return [peer.name for peer, _ in told if name in peer.pulls]


def _servers(told: Told, name: str) -> list[str]:
    return [peer.name for peer, _ in told if name in peer.serves]


def _sum(told: Told, *path: str) -> float:
    return sum(number(answer, *path) for _, answer in told)


def _queue(told: Told, name: str) -> Sequence[str]:
    workers = [peer for peer, _ in told if name in peer.pulls]
    push = ("queues", name, "push")
    return (
        name,
        str(sum(peer.state == "up" for peer in workers)),
        f"{_sum(told, *push, 'depth'):,}",
        f"{_sum(told, *push, 'in_flight'):,}",
        f"{_sum(told, *push, 'acked'):,}",
        f"{_sum(told, *push, 'redelivered'):,}",
        f"{_sum(told, *push, 'λ'):,.1f}",
        span(max((peer.round_trip for peer in workers if peer.round_trip is not None), default=None)),
        " ".join(peer.name for peer in workers),
    )


def _service(told: Told, name: str) -> Sequence[str]:
    reply = ("services", name, "reply")
    ended = _sum(told, *reply, "done") + _sum(told, *reply, "failed")
    stayed = sum(number(answer, *reply, "L") * number(answer, "uptime") for _, answer in told)
    return (
        name,
        str(sum(peer.state == "up" and name in peer.serves for peer, _ in told)),
        f"{_sum(told, *reply, 'waiting'):,}",
        f"{_sum(told, *reply, 'running'):,}",
        f"{_sum(told, *reply, 'done'):,}",
        f"{_sum(told, *reply, 'failed'):,}",
        f"{_sum(told, *reply, 'λ'):,.1f}",
        span(stayed / ended if ended else None),
        " ".join(_servers(told, name)),
    )


def _topic(told: Told, name: str) -> Sequence[str]:
    missed = [part(answer, "topics", name, "subscribe", "missed") for _, answer in told]
    givers = [peer.name for peer, answer in told if part(answer, "topics", name, "publish")]
    takers = [peer.name for peer, answer in told if part(answer, "topics", name, "subscribe")]
    return (
        name,
        f"{_sum(told, 'topics', name, 'publish', 'published'):,}" if givers else "",
        f"{_sum(told, 'topics', name, 'publish', 'λ'):,.1f}" if givers else "",
        f"{_sum(told, 'topics', name, 'subscribe', 'received'):,}" if takers else "",
        f"{sum(number(one, reason) for one in missed for reason in names(one)):,}" if takers else "",
        " ".join(givers),
        " ".join(takers),
    )


_OF_THE_OBSERVER: Final = ("name", "id", "uptime", "dropped")
_KINDS: Final = {
    "queues": (
        ("QUEUE", "WORKERS", "DEPTH", "IN FLIGHT", "ACKED", "REDELIVERED", "PER SECOND", "ROUND TRIP", "PULLED BY"),
        _queue,
    ),
    "services": (
        ("SERVICE", "SERVERS", "WAITING", "RUNNING", "DONE", "FAILED", "PER SECOND", "TAKES", "SERVED BY"),
        _service,
    ),
    "topics": (
        ("TOPIC", "PUBLISHED", "PER SECOND", "RECEIVED", "MISSED", "PUBLISHED BY", "SUBSCRIBED BY"),
        _topic,
    ),
}
