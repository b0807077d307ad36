"""``meshmq peers``: who is here."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final

from meshmq.cli.joining import ALONE, is_alone, joined, settle
from meshmq.cli.options import add_shared
from meshmq.cli.plain import to_line
from meshmq.cli.terminal import line, span, table, words
from meshmq.faces.blocking import Node
from meshmq.names import GROUP
from meshmq.seeing import PeerView

#: Seconds to wait for the first round trips, and between two looks.
MEASURED: Final = 0.5
_LOOK: Final = 0.02
_REDRAW: Final = 1.0
_HEAD: Final = ("NAME", "ID", "STATE", "SINCE", "ROUND TRIP", "ADDRESS", "PULLS", "SERVES", "FOUND BY")

_EPILOG: Final = """\
--watch redraws the table on a terminal; elsewhere it prints a line for each event: joined, changed,
left, lost, refused. With --json the table is one array, and each event an object on a line of its own.

examples:
  meshmq peers
  meshmq peers --mesh staging --json
  meshmq peers --watch
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "peers", help="who is here", description="Show the nodes of this mesh.", epilog=_EPILOG
    )
    parser.add_argument("--watch", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="for programs")
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the peers, once or until Ctrl-C."""
    with joined(arguments) as node:
        if arguments.watch and (arguments.json or not sys.stdout.isatty()):
            _print_events(node, as_json=arguments.json)
            return 0
        settle(node)
        measure(node)
        while True:
            peers = node.peers()
            if arguments.json:
                line(to_line([peer.as_dict() for peer in peers]))
            else:
                clear = "\x1b[H\x1b[2J" if arguments.watch else ""
                line(clear + (show(peers) if peers else f"nobody else is in the mesh {node.mesh!r}"))
            if not arguments.watch:
                break
            threading.Event().wait(_REDRAW)
    if is_alone(arguments):
        words(ALONE)
    return 0


def measure(node: Node) -> None:
    """Wait a moment for the first round trips."""
    for _ in range(round(MEASURED / _LOOK)):
        if all(peer.round_trip is not None for peer in node.peers()):
            return
        threading.Event().wait(_LOOK)


def show(peers: Sequence[PeerView]) -> str:
    """Return the table of the peers."""
    rows = [
        (
            peer.name,
            peer.id[:8],
            ", ".join([peer.state, *["stalled"] * peer.stalled, *["one way"] * peer.one_way]),
            span(peer.since),
            span(peer.round_trip),
            peer.addresses[0] if peer.addresses else "",
            " ".join(name for name in peer.pulls if not name.startswith(GROUP)),
            " ".join(peer.serves),
            peer.found_by,
        )
        for peer in peers
    ]
    return table(_HEAD, rows)


def _print_events(node: Node, *, as_json: bool) -> None:
    for event in node.events():
        if as_json:
            fields = ("kind", "name", "id", "address", "reason")
            line(to_line({field: getattr(event, field) for field in fields}))
        else:
            parts = (event.kind, event.name, event.id[:8], event.address, event.reason)
            line(table([part for part in parts if part], []))
