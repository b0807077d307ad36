"""``meshmq dead``: jobs that failed too often, on whichever node pushed them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from meshmq.cli.asking import ask_all, number, part
from meshmq.cli.joining import ALONE, is_alone, joined, settle
from meshmq.cli.options import UsageError, add_shared
from meshmq.cli.plain import to_line
from meshmq.cli.terminal import line, span, table, words
from meshmq.errands import DEAD
from meshmq.errors import ConfigError, MeshError
from meshmq.names import check_name, check_pattern, counted

_HEAD: Final = ("NODE", "ID", "FAILURES", "DEAD FOR", "BYTES", "KEY", "REASON")
_EPILOG: Final = """\
A job with max_attempts= that has failed so often is a dead letter: it stays with the node that pushed it, and is not
tried again by itself. "retry" gives it another life, with its own id; "drop" forgets it. Without ids they are meant
all, of every node. "show" prints each as a JSON object on a line, data and all.

With --topic the name is a topic or a pattern: what groups of its subscribers could not read.

examples:
  meshmq dead jobs list
  meshmq dead jobs show 6e0fc4a1b2d3e4f5061728394a5b6c7d-2a
  meshmq dead jobs retry
  meshmq dead --topic 'orders.**' list
  meshmq dead jobs drop 6e0fc4a1b2d3e4f5061728394a5b6c7d-2a
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "dead", help="jobs that failed too often", description="Look at dead letters, try them again.", epilog=_EPILOG
    )
    parser.add_argument("letters", metavar="QUEUE", help="the queue they were pushed to")
    parser.add_argument("action", choices=("list", "show", "retry", "drop"), help="what to do with them")
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these (default: all)")
    parser.add_argument("--topic", action="store_true", help="QUEUE is a topic, or a pattern, with groups")
    parser.add_argument("--json", action="store_true", help="the list as JSON, an object on each line")
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask all nodes, and show what they say.

    Raises:
        MeshError: one of the ids is nowhere.
        UsageError: there can be no queue, or topic, of that name.
    """
    action, ids = arguments.action, arguments.ids
    try:
        check_pattern(arguments.letters) if arguments.topic else check_name("queue", arguments.letters)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    with joined(arguments) as node:
        settle(node)
        if ids or action == "show":
            found = [letter["id"] for _, letter in _letters(ask_all(node, DEAD, _asked(arguments, "list")))]
            missing = [one for one in ids if one not in found]
            if missing:
                raise MeshError(f"no node has a dead letter {missing[0]!r} of {arguments.letters!r}")
            ids = ids or found
        answers = ask_all(node, DEAD, _asked(arguments, action, ids))
    if action in ("list", "show"):
        letters = list(_letters(answers))
        for name, letter in letters if action == "show" or arguments.json else ():
            line(to_line({"node": name} | letter))
        if action == "list" and not arguments.json:
            line(_table(letters) if letters else f"no dead letters of {arguments.letters!r}")
    else:
        count = int(sum(number(answer, "done") for _, answer in answers))
        words(
            f"{'pushed' if action == 'retry' else 'dropped'} {counted(count, 'dead letter')}"
            f"{' again' if action == 'retry' else ''}"
        )
    if is_alone(arguments):
        words(ALONE)
    return 0


def _asked(arguments: argparse.Namespace, action: str, ids: list[str] | None = None) -> dict[str, Any]:
    return {
        "topic" if arguments.topic else "queue": arguments.letters,
        "do": action,
        "ids": ids if ids is not None else arguments.ids,
    }


def _letters(answers: list[tuple[Any, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what nodes say of their letters, as far as it can be one."""
    for peer, answer in answers:
        told = part(answer, "letters")
        for letter in told if isinstance(told, list) else ():
            if isinstance(letter, dict) and isinstance(letter.get("id"), str):
                yield peer.name, letter


def _table(letters: list[tuple[str, dict[str, Any]]]) -> str:
    now = datetime.now(UTC)
    rows = []
    for name, letter in letters:
        died = letter.get("died")
        since = max(0.0, (now - died).total_seconds()) if isinstance(died, datetime) and died.tzinfo else None
        texts = [str(letter.get(field) or "") for field in ("key", "reason")]
        counts = [f"{number(letter, field):,.0f}" for field in ("failures", "bytes")]
        rows.append((name, letter["id"], counts[0], span(since), counts[1], *texts))
    return table(_HEAD, rows)
