"""``meshmq pull``: take jobs, and print them or hand each to a child process."""

from __future__ import annotations

import argparse
import threading
from typing import Any, Final

from meshmq.cli.child import run_child
from meshmq.cli.joining import joined
from meshmq.cli.options import add_shared, count, queue, seconds
from meshmq.cli.plain import to_line
from meshmq.cli.silence import when_nobody_reads
from meshmq.cli.terminal import line, words
from meshmq.errors import MeshError
from meshmq.faces.receiving import Receiver
from meshmq.message import Message
from meshmq.names import counted

_EPILOG: Final = """\
One job is one line of JSON. It is confirmed once its line is written; when stdout closes, the job in
hand goes back and the command ends. What JSON has no form for is written as an object that names
its type: {"$bytes": "aGVsbG8="}, {"$Decimal": "1.10"}, {"$datetime": "..."}, {"$set": [1, 2]}.

With --exec a shell runs COMMAND for each job, one at a time, with the job's JSON on its stdin and
MESHMQ_JOB_QUEUE, MESHMQ_JOB_ID and MESHMQ_JOB_ATTEMPT in its environment. Exit code 0 confirms the job, another
gives it back, to be tried again later. A job may come twice: its id stays, its attempt rises.

examples:
  meshmq pull hello
  meshmq pull hello --count 1
  meshmq pull thumbnails --exec 'jq -r .path | xargs convert -resize 200'
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("pull", help="take jobs", description="Pull jobs from a queue.", epilog=_EPILOG)
    parser.add_argument("queue", type=queue, metavar="QUEUE", help="where others push")
    parser.add_argument("--count", type=count, metavar="N", help="end after so many jobs")
    parser.add_argument("--idle", type=seconds, metavar="SECONDS", help="end after so long without a job")
    parser.add_argument("--exec", dest="command", metavar="COMMAND", help="run it for each job")
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Take jobs until there are enough of them, or somebody ends it."""
    with joined(arguments, takes_port=True) as node, node.pull(arguments.queue, idle=arguments.idle) as jobs:
        writing = threading.Lock()

        def close() -> None:
            with writing:  # a line that is out is confirmed, whoever goes away then
                jobs.close()

        when_nobody_reads(close)
        taken, failed = _take(jobs, arguments, writing)
    if failed:
        raise MeshError(f"{failed:,} of {counted(taken, 'job')} failed and went back")
    return 0


def _take(jobs: Receiver[Message], arguments: argparse.Namespace, writing: threading.Lock) -> tuple[int, int]:
    """Return how many jobs were taken, and how many of them were given back as failed."""
    taken = failed = 0
    for message in jobs:
        done = True
        if arguments.command is None:
            with writing:
                line(to_line(message.data))
                message.ack()  # at once, not with the next request: that may come late
        else:
            done = _execute(arguments.command, message)
            if jobs.closed:  # nobody reads what the child wrote; the job goes back
                break
            message.ack() if done else message.nack()
        taken += 1
        failed += not done
        if taken == arguments.count:
            break
    return taken, failed


def _execute(command: str, message: Message) -> bool:
    """Run the command for a job; whether it is done."""
    about = {
        "MESHMQ_JOB_QUEUE": message.queue,
        "MESHMQ_JOB_ID": message.id,
        "MESHMQ_JOB_ATTEMPT": str(message.attempt),
    }
    status = run_child(command, to_line(message.data), about)
    if status:
        ended = f"exit code {status}" if status > 0 else f"signal {-status}"
        words(f"job {message.id} is given back: {ended} of {command!r}")
    return status == 0
