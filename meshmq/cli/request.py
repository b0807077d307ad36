"""``meshmq request``: ask a service and print its answer."""

from __future__ import annotations

import argparse
from typing import Any, Final

from meshmq.cli.joining import joined
from meshmq.cli.options import add_shared, seconds, service
from meshmq.cli.plain import to_line
from meshmq.cli.terminal import line, words
from meshmq.cli.values import parse
from meshmq.errors import MeshError, NoPeersError, RemoteError

_EPILOG: Final = """\
The answer is one line of JSON. It ends with 1 where nobody serves the name in time, where no answer
comes in time, and where the handler failed: its words are on stderr, with -v its stack.

examples:
  meshmq request add '[1, 2]'
  meshmq request totals --timeout 30
  meshmq request snapshot --to camera-2
  meshmq request meshmq.stats --to camera-2
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "request", help="ask a service", description="Ask one server of a service.", epilog=_EPILOG
    )
    parser.add_argument("service", type=service, metavar="SERVICE", help="what others serve")
    parser.add_argument("data", nargs="?", metavar="JSON", help="what is asked; null without it")
    parser.add_argument("--timeout", type=seconds, default=5.0, metavar="SECONDS", help="for all of it (default: 5)")
    parser.add_argument("--to", metavar="NAME", help="the node to ask, by its name or id")
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask once.

    Raises:
        MeshError: there is no answer.
    """
    data = None if arguments.data is None else parse(arguments.data, "the argument")
    name = arguments.service
    with joined(arguments) as node:
        try:
            line(to_line(node.request(name, data, timeout=arguments.timeout, to=arguments.to)))
        except NoPeersError as error:
            step = "meshmq peers" if arguments.to is not None else f"meshmq reply {name} --exec COMMAND"
            what = "who is here tells" if arguments.to is not None else "a server would be"
            raise MeshError(f"{error}; {what}: {step}") from error
        except RemoteError as error:
            if arguments.loud and error.traceback:
                for row in error.traceback.rstrip("\n").split("\n"):
                    words(row)
            raise
    return 0
