"""``meshmq push``: give jobs to workers and leave when they are done."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any, Final

from meshmq.cli.joining import joined
from meshmq.cli.options import UsageError, add_shared, queue, seconds
from meshmq.cli.terminal import words
from meshmq.cli.values import given
from meshmq.errors import MeshError, Undelivered
from meshmq.faces.queues import Queue
from meshmq.names import counted
from meshmq.settings import Settings

#: Seconds after which, and then every so many, long work says how far it is.
WORD_EVERY: Final = 5.0
#: Without --timeout nobody is given up.
_PATIENT: Final = Settings(patience=1e9)

_EPILOG: Final = """\
Each argument is one job; without arguments each line of stdin is one. It ends when a worker has
confirmed every job: with 0, or with 1 and how many are left when --timeout is over. Without
--timeout it waits, and says what for.

examples:
  meshmq push hello '{"n": 1}' '{"n": 2}'
  seq 1000 | meshmq push numbers --timeout 10
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "push", help="give jobs to workers", description="Push jobs into a queue.", epilog=_EPILOG
    )
    parser.add_argument("queue", type=queue, metavar="QUEUE", help="who pulls it gets the jobs")
    parser.add_argument("jobs", nargs="*", metavar="JSON", help="one job each; quote it")
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="give up so long after the last progress (default: never)"
    )
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Push the jobs and wait until they are confirmed."""
    jobs = given(arguments.jobs, "jobs")
    timeout = arguments.timeout
    settings = _PATIENT if timeout is None else Settings(drain=timeout, patience=timeout)
    began = time.monotonic()
    with joined(arguments, settings) as node:
        handle = node.queue(arguments.queue)
        try:
            bad, pushed = _push_all(handle, jobs)
            if bad is not None:
                words(str(bad))
            if timeout is None:
                handle.flush()
            else:
                node.close()
        except (KeyboardInterrupt, SystemExit):
            words(f"interrupted: {counted(handle.depth, 'job')} not confirmed")
            raise
        except Undelivered as left:
            raise MeshError(
                f"{counted(left.unsent + left.unconfirmed, 'job')} of {pushed:,} not confirmed, and no progress for "
                f"{timeout:g} s; a worker would be: meshmq pull {arguments.queue}"
            ) from left
    took = time.monotonic() - began
    if took > WORD_EVERY or arguments.loud:
        words(f"{counted(pushed, 'job')} pushed and confirmed in {took:.1f} s")
    return 0 if bad is None else 2


def _push_all(handle: Queue, jobs: Iterator[object]) -> tuple[UsageError | None, int]:
    """Push until the jobs end or one cannot be read; tell how far it is."""
    pushed, word_at = 0, time.monotonic() + WORD_EVERY
    try:
        for job in jobs:
            handle.push(job)
            pushed += 1
            if not pushed % 100 and time.monotonic() > word_at:
                word_at = time.monotonic() + WORD_EVERY
                words(f"{counted(pushed, 'job')} pushed, {pushed - handle.depth:,} confirmed")
    except UsageError as error:
        return error, pushed
    return None, pushed
