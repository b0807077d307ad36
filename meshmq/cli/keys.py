"""``meshmq keys``: make the secret that lets machines meet."""

from __future__ import annotations

import argparse
from typing import Any, Final

from meshmq.cli.options import add_shared
from meshmq.cli.terminal import line, words

_EPILOG: Final = """\
The secret is all that stdout gets. Whoever has it can read, push and pull: pass it on as you would
a password, and keep the file that holds it to yourself (chmod 600).

examples:
  meshmq keys new
  meshmq keys new > mesh.secret
  meshmq --secret-file mesh.secret peers
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "keys", help="make a secret", description="Make the secret of a mesh.", epilog=_EPILOG, mixed=False
    )
    add_shared(parser, place="after")
    parser.add_argument("what", choices=["new"], help="print a new secret")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a new secret, and on stderr what to do with it."""
    from meshmq.links.security import new_secret

    line(new_secret())
    words("a new secret; set it on every machine: export MESHMQ_SECRET=... (or MESHMQ_SECRET_FILE=path)")
    return 0
