"""``meshmq drain``: have a node take no new work and finish what it runs."""

from __future__ import annotations

import argparse
from typing import Any, Final

from meshmq.cli.joining import joined
from meshmq.cli.options import add_shared, seconds
from meshmq.cli.terminal import words
from meshmq.errands import DRAIN
from meshmq.errors import MeshError, NoPeersError

_EPILOG: Final = """\
The node tells its peers, takes no new work, finishes what its handlers run, confirms it, and its run()
returns, as by SIGTERM. Of several nodes of one name say which by its id, as "meshmq peers --json" shows it.

examples:
  meshmq drain camera-2
  meshmq drain 6e0fc4a1b2d3e4f5061728394a5b6c7d
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "drain", help="have a node finish and end", description="Drain a node from here.", epilog=_EPILOG
    )
    parser.add_argument("node", metavar="NAME", help="the node, by its name or id")
    parser.add_argument(
        "--timeout", type=seconds, default=5.0, metavar="SECONDS", help="find it in so long (default: 5)"
    )
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask the node to drain.

    Raises:
        MeshError: it is not here, or has not answered.
    """
    with joined(arguments) as node:
        try:
            node.request(DRAIN, to=arguments.node, timeout=arguments.timeout)
        except NoPeersError as error:
            raise MeshError(
                f"nobody is called {arguments.node!r} in the mesh {node.mesh!r}; who is here: meshmq peers"
            ) from error
    words(f"{arguments.node} drains")
    return 0
