"""``meshmq tap``: print a copy of what passes, and be in nobody's way."""

from __future__ import annotations

import argparse
import threading
from typing import Any, Final

from meshmq.cli.asking import ask_all, names
from meshmq.cli.joining import joined, settle
from meshmq.cli.options import add_shared, count, seconds, tapped
from meshmq.cli.plain import to_line
from meshmq.cli.silence import when_nobody_reads
from meshmq.cli.terminal import line, words
from meshmq.core.copies import (
    ATTEMPT_HEADER,
    DROPPED_HEADER,
    ID_HEADER,
    KIND_HEADER,
    OMITTED_HEADER,
    RECEIVER_HEADER,
    SENDER_HEADER,
)
from meshmq.core.feed.patterns import matches
from meshmq.errands import STATS
from meshmq.faces.blocking import Node
from meshmq.listener import UNREADABLE_HEADER
from meshmq.message import Message
from meshmq.names import TAP, counted

_EPILOG: Final = """\
NAME is a queue, a service or a topic, or a pattern as for "meshmq subscribe": quote it. Jobs and requests
are copied by the devices they pass through, and by nodes with Settings(tap=True), which pull or serve them;
of topics this is one more subscriber. Nobody waits for who taps: what this command is too slow for, and more
than a node copies (10,000 a second), is missed here alone, and counted.

One message is one line of JSON: its data. With --full it has kind (job, request or message), name, sender,
receiver, id and attempt, or of a topic seq and gap; missed: how many were missed right before it, dropped at
the node that copies or on the way here; age and data. A value of more than 64 KiB is null, "omitted" says how
many bytes it has; one that cannot be decoded here is what it was encoded to, and "unreadable" says why.

examples:
  meshmq tap jobs
  meshmq tap 'orders.**' --full --count 10
  meshmq tap add --full --idle 60
"""
_OURS: Final = frozenset(
    {
        *(KIND_HEADER, SENDER_HEADER, RECEIVER_HEADER, ID_HEADER, ATTEMPT_HEADER),
        *(DROPPED_HEADER, OMITTED_HEADER, UNREADABLE_HEADER),
    }
)


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("tap", help="print a copy of what passes", description="Tap a name.", epilog=_EPILOG)
    parser.add_argument("tapped", type=tapped, metavar="NAME", help="a queue, service or topic, or a pattern of some")
    parser.add_argument("--count", type=count, metavar="N", help="end after so many messages")
    parser.add_argument("--idle", type=seconds, metavar="SECONDS", help="end after so long without a message")
    parser.add_argument("--full", action="store_true", help="with kind, sender, receiver, id, attempt and age")
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print copies until there are enough of them, or somebody ends it."""
    name = arguments.tapped
    with joined(arguments, takes_port=True) as node, node.subscribe(name, TAP + name, idle=arguments.idle) as copies:
        writing = threading.Lock()

        def close() -> None:
            with writing:
                copies.close()

        when_nobody_reads(close)
        _tell_who_agrees(node, name)
        dropped = 0
        try:
            for taken, message in enumerate(copies, 1):
                with writing:
                    line(to_line(_full(message) if arguments.full else message.data))
                dropped += _number(message, DROPPED_HEADER)
                if taken == arguments.count:
                    break
        finally:
            if missed := dropped + copies.missed:
                words(
                    f"{counted(missed, 'message')} missed: more than is copied, lost on the way, or too many to print"
                )
    return 0


def _tell_who_agrees(node: Node, name: str) -> None:
    """Say so where nobody would copy anything of that name."""
    settle(node)
    for _, answer in ask_all(node, STATS):
        if any(matches(name, found) for kind in ("tap", "topics") for found in names(answer, kind)):
            return
    words(
        f"nobody here has {name!r} tapped, and nobody publishes it; jobs and requests are copied by a device for them "
        f"(meshmq device --queue or --service), or by who pulls or serves them with Settings(tap=True)"
    )


def _full(message: Message) -> dict[str, object]:
    headers, full = message.headers, dict[str, object]()
    if message.topic.startswith(TAP):
        full |= {"kind": headers.get(KIND_HEADER), "name": message.topic.removeprefix(TAP)}
        full |= {"sender": headers.get(SENDER_HEADER), "receiver": headers.get(RECEIVER_HEADER)}
        full |= {"id": headers.get(ID_HEADER), "attempt": _number(message, ATTEMPT_HEADER)}
        if OMITTED_HEADER in headers:
            full["omitted"] = _number(message, OMITTED_HEADER)
        if UNREADABLE_HEADER in headers:
            full["unreadable"] = headers[UNREADABLE_HEADER]
        headers = {key: text for key, text in headers.items() if key not in _OURS}
    else:
        full |= {"kind": "message", "name": message.topic, "sender": message.sender, "seq": message.seq}
    if headers:
        full["headers"] = headers
    missed = message.gap + _number(message, DROPPED_HEADER)
    return {**full, "missed": missed, "age": message.age, "data": message.data}


def _number(message: Message, header: str) -> int:
    """Return the number in a header of a copy, 0 where there is none: what peers say is checked, never trusted."""
    told = message.headers.get(header, "") if message.topic.startswith(TAP) else ""
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else 0
