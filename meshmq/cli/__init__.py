"""The command line: ``meshmq COMMAND``, one module per command.

Data goes to stdout, words to stderr. Exit codes: 0 fine; 1 what MeshMQ could not do, in one sentence;
2 what was typed or read cannot be used; 130 Ctrl-C; 143 SIGTERM. ``meshmq run``, ``route`` and ``mailbox`` are meant to
be ended by a signal: 0 when they have drained.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import meshmq
from meshmq.cli.options import Parser, UsageError, add_shared, complete
from meshmq.cli.silence import no_more_output
from meshmq.cli.terminal import start_logging, stop_logging, words
from meshmq.errors import MeshError
from meshmq.links.interrupts import install_signals

#: In the order of ``meshmq --help``: a command, and the module here that has it.
COMMANDS: Final = {
    "peers": "peers",
    "push": "push",
    "pull": "pull",
    "publish": "publish",
    "subscribe": "subscribe",
    "request": "request",
    "reply": "reply",
    "topics": "offers",
    "queues": "offers",
    "services": "offers",
    "stats": "stats",
    "tap": "tap",
    "run": "run",
    "route": "route",
    "up": "up",
    "device": "device",
    "mailbox": "mailbox",
    "dead": "dead",
    "drain": "drain",
    "journal": "journal",
    "keys": "keys",
    "recipe": "recipe",
    "bench": "bench",
}
INTERRUPTED: Final = 130

_EPILOG: Final = """\
examples:
  meshmq pull hello                    in one terminal
  meshmq push hello '{"n": 1}'         in another, in either order
  meshmq subscribe 'weather.**'        whoever publishes it:
  meshmq publish weather.kitchen 21.5
  meshmq peers                         who is here
  meshmq recipe list                   programs to start from
"""


def build_parser(command: str = "") -> Parser:
    """Return the parser of one command, or of all: importing them takes a quarter of the time to start."""
    parser = Parser(
        prog="meshmq",
        mixed=False,
        description="Processes talk to each other by name, without a broker.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"meshmq {meshmq.__version__}")
    add_shared(parser, place="before")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name in [COMMANDS[command]] if command in COMMANDS else dict.fromkeys(COMMANDS.values()):
        import_module(f"meshmq.cli.{name}").add_arguments(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words_given = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = complete(build_parser(*words_given[:1]).parse_args(words_given))
    except SystemExit as end:  # argparse has said it all
        return end.code if isinstance(end.code, int) else 2
    handler = start_logging(arguments.loud)
    install_signals()
    try:
        code: int = arguments.run(arguments)
        return code
    except UsageError as error:
        return _failed(error, arguments.loud, 2)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:  # SIGTERM
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:  # whoever read our output has gone, and has what it wanted
        return 0
    except MeshError as error:
        return _failed(error, arguments.loud, 1)
    except OSError as error:
        return _failed(MeshError(f"it cannot be written or started: {error.strerror or error}"), arguments.loud, 1)
    except Exception as error:
        words(f"this should not have happened ({type(error).__name__}); run it with -vv and report it")
        return _failed(error, arguments.loud, 1)
    finally:
        no_more_output()
        stop_logging(handler)


def _failed(error: Exception, loud: int, code: int) -> int:
    words(str(error) or type(error).__name__)
    if loud >= 2:
        traceback.print_exception(error)
    return code
