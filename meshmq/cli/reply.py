"""``meshmq reply``: serve requests, each by a child process."""

from __future__ import annotations

import argparse
from typing import Any, Final

from meshmq.cli.child import CannotRun, ask_child
from meshmq.cli.joining import joined
from meshmq.cli.options import add_shared, count, seconds, served
from meshmq.cli.plain import from_line, to_line
from meshmq.errors import EncodeError
from meshmq.request import Request

#: The most characters of what a command says on stderr that its caller is told: the last ones.
_SAID: Final = 4_000

_EPILOG: Final = """\
A shell runs COMMAND for each request, one at a time, with the request's JSON on its stdin and
MESHMQ_REQUEST_SERVICE, MESHMQ_REQUEST_ID and MESHMQ_REQUEST_SENDER in its environment. What it writes to
stdout is the answer: one JSON value, or, where it is none, the text without the end of its last line. Another exit
code than 0 is a failure: whoever asked gets it as RemoteError with what was said on stderr. A command
whose caller has given up is ended. For several at a time start this several times.

examples:
  meshmq reply add --exec 'jq add'
  meshmq reply uptime --exec uptime
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("reply", help="serve requests", description="Serve a service.", epilog=_EPILOG)
    parser.add_argument("service", type=served, metavar="SERVICE", help="what others ask for")
    parser.add_argument("--exec", dest="command", required=True, metavar="COMMAND", help="run it for each request")
    parser.add_argument("--count", type=count, metavar="N", help="end after so many requests")
    parser.add_argument("--idle", type=seconds, metavar="SECONDS", help="end after so long without a request")
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until there were enough requests, or somebody ends it.

    Raises:
        CannotRun: the command is at fault, whatever is asked.
    """
    taken = 0
    with joined(arguments, takes_port=True) as node, node.reply(arguments.service, idle=arguments.idle) as requests:
        for request in requests:
            _answer(request, arguments.command)
            taken += 1
            if taken == arguments.count:
                break
    return 0


def _answer(request: Request, command: str) -> None:
    about = {
        "MESHMQ_REQUEST_SERVICE": request.service,
        "MESHMQ_REQUEST_ID": request.id,
        "MESHMQ_REQUEST_SENDER": request.sender,
    }
    try:
        status, out, said = ask_child(command, to_line(request.data), about, lambda: request.cancelled)
    except CannotRun as error:
        request.fail("CannotRun", str(error))
        raise
    if status:
        ended = f"exit code {status}" if status > 0 else f"signal {-status}"
        text = said.decode(errors="replace").strip()[-_SAID:]
        request.fail("CommandFailed", f"{ended} of {command!r}" + (f": {text}" if text else ""))
        return
    try:
        request.reply(_value(out))
    except EncodeError as error:
        request.fail("EncodeError", str(error))


def _value(out: bytes) -> object:
    try:
        return from_line(out) if out.strip() else None
    except ValueError:
        return out.decode(errors="replace").removesuffix("\n").removesuffix("\r")
