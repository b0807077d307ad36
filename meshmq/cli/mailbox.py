"""``meshmq mailbox``: jobs of a queue are kept on disk, and given on as another one."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Final

from meshmq.cli.joining import joined
from meshmq.cli.modules import add_import, import_modules
from meshmq.cli.options import UsageError, add_shared, queue
from meshmq.cli.terminal import words
from meshmq.faces.blocking import Node
from meshmq.message import Message
from meshmq.names import counted
from meshmq.settings import Settings

#: Who pushes keeps its jobs while the box is full; nothing is given up.
_PATIENT: Final = Settings(patience=1e9)

_EPILOG: Final = """\
Who pushes to QUEUE may leave when its jobs are on this disk: they are confirmed then, and not before. Who pulls
QUEUE.kept gets them, today or tomorrow, in their order; what it has confirmed is forgotten here. Killed and started
again with the same FILE and name, the mailbox has all of it, flagged as possible repeats.

The name is mailbox-QUEUE where --name does not say otherwise. "meshmq journal show FILE" tells what is in it. Data of
registered classes needs --import. Ctrl-C or SIGTERM ends it, and what nobody has pulled stays in FILE.

examples:
  meshmq mailbox letters --journal letters.db
  meshmq mailbox letters --journal letters.db --to letters.tomorrow
  meshmq push letters '"hello"'
  meshmq pull letters.kept
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "mailbox", help="keep jobs on disk for who comes later", description="Be a mailbox.", epilog=_EPILOG
    )
    parser.add_argument("queue", type=queue, metavar="QUEUE", help="the queue that is pushed to")
    parser.add_argument("--journal", type=Path, required=True, metavar="FILE", help="where the jobs are kept")
    parser.add_argument("--to", type=queue, metavar="QUEUE", help="the queue that is pulled (default: QUEUE.kept)")
    add_import(parser)
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Keep jobs until somebody ends it.

    Raises:
        UsageError: it would give jobs to itself; a module cannot be imported.
    """
    taken, given = arguments.queue, arguments.to or f"{arguments.queue}.kept"
    if taken == given:
        raise UsageError(f"--to {given}: a mailbox gives on what it takes as another queue")
    import_modules(arguments.modules)
    arguments.name = arguments.name or os.environ.get("MESHMQ_NAME") or f"mailbox-{taken}"
    kept = 0
    with joined(arguments, _PATIENT, takes_port=True, journal=arguments.journal) as node:

        @node.pull(taken)
        def keep(data: Any, message: Message) -> None:
            nonlocal kept
            headers = {"from-sender": message.sender, **message.headers}
            message.push(given, data, headers=headers, durable=True)
            kept += 1

        words(f"{node.name} keeps {taken!r} in {arguments.journal} for who pulls {given!r}; {_waiting(node, given)}")
        try:
            node.run()
        finally:
            words(f"{counted(kept, 'job')} kept; {_waiting(node, given)}")
    return 0


def _waiting(node: Node, queue: str) -> str:
    return f"{counted(node.queue(queue).depth, 'job')} there"
