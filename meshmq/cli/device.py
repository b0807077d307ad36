"""``meshmq device``: stand between many and many."""

from __future__ import annotations

import argparse
from typing import Any, Final

from meshmq.cli.joining import joined
from meshmq.cli.options import UsageError, add_shared, pattern, queue, served
from meshmq.cli.terminal import words

_EPILOG: Final = """\
Peers that see the device send through it, and each keeps one connection to it instead of one to every
other. The worker with most to spare gets the next job, whoever pushes, and the server with the fewest calls
the next request. Of a topic a publisher sends each batch once, to the device, which sends it on; subscribers
to what the pattern covers are told of gaps as without it. When the device goes, also by kill -9, they return
to direct links; no job is lost, and what may run twice says so. Start several: they share the load and stand
in for each other. It ends by Ctrl-C, or "meshmq drain NAME".

examples:
  meshmq device --queue jobs
  meshmq device --name hub --queue jobs --queue done --service add
  meshmq device --topic "weather.**"
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "device", help="stand between many and many", description="Be a device for names.", epilog=_EPILOG
    )
    parser.add_argument(
        "--queue", type=queue, action="append", default=[], metavar="QUEUE", dest="queues",
        help="forward its jobs; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--topic", type=pattern, action="append", default=[], metavar="PATTERN", dest="topics",
        help="forward what is published to topics that match it; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--service", type=served, action="append", default=[], metavar="SERVICE", dest="services",
        help="forward its requests; may be given several times",
    )  # fmt: skip
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Forward until somebody ends it.

    Raises:
        UsageError: nothing was named.
    """
    names = [*arguments.queues, *arguments.topics, *arguments.services]
    if not names:
        raise UsageError("say what for: --queue, --topic or --service, each as often as needed")
    with joined(arguments, takes_port=True) as node:
        node.device(queues=arguments.queues, topics=arguments.topics, services=arguments.services)
        words(f"{node.name} stands before {', '.join(map(repr, names))}; Ctrl-C ends it")
        node.run()
    return 0
