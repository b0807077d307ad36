"""``meshmq stats``: what goes on in the mesh, as one node sees it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

from meshmq.cli.joining import joined, settle
from meshmq.cli.options import add_shared
from meshmq.cli.peers import measure, show
from meshmq.cli.plain import to_line
from meshmq.cli.terminal import line, span, table
from meshmq.errors import MeshError
from meshmq.seeing import PeerView

_EPILOG: Final = """\
A node joins for a moment, looks and leaves. It sees the peers and what they say of themselves: their
states, round trips, and the queues they pull. Counters (depth, acked, redelivered) stay with each node:
a program reads its own with node.stats().

examples:
  meshmq stats
  meshmq stats jobs
  meshmq stats --json
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "stats", help="queues and who pulls them", description="Show queues and peers.", epilog=_EPILOG
    )
    parser.add_argument("subject", nargs="?", metavar="NAME", help="a queue or a node; all without it")
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
        peers, seen, mesh = node.peers(), node.stats(), node.mesh
    subject = arguments.subject
    if subject is not None:
        peers = [peer for peer in peers if subject == peer.name or subject in peer.pulls]
        if not peers:
            raise MeshError(f"nobody in the mesh {mesh!r} is called {subject!r} or pulls it")
    queues = _queues(peers, subject)
    if arguments.json:
        told = {
            "mesh": mesh,
            "queues": {name: [peer.name for peer in pullers] for name, pullers in queues.items()},
            "peers": [peer.as_dict() for peer in peers],
            "observer": {key: seen[key] for key in ("name", "id", "uptime", "dropped")},
        }
        line(to_line(told))
        return 0
    if queues:
        rows = [
            (
                name,
                str(sum(peer.state == "up" for peer in pullers)),
                span(max((peer.round_trip for peer in pullers if peer.round_trip is not None), default=None)),
                " ".join(peer.name for peer in pullers),
            )
            for name, pullers in queues.items()
        ]
        line(table(("QUEUE", "WORKERS", "SLOWEST ROUND TRIP", "PULLED BY"), rows) + "\n")
    line(show(peers) if peers else f"nobody else is in the mesh {mesh!r}")
    return 0


def _queues(peers: Sequence[PeerView], subject: str | None) -> dict[str, list[PeerView]]:
    """Return who pulls each queue; of a queue that was asked for, that one alone."""
    names = sorted({name for peer in peers for name in peer.pulls})
    if subject in names:
        names = [name for name in names if name == subject]
    return {name: [peer for peer in peers if name in peer.pulls] for name in names}
