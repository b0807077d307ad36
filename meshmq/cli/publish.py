"""``meshmq publish``: tell all subscribers of a topic, and leave when they have heard it."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from meshmq.cli.joining import joined
from meshmq.cli.options import UsageError, add_shared, rate, seconds, topic
from meshmq.cli.terminal import words
from meshmq.cli.values import given
from meshmq.errors import MeshError, TimedOut
from meshmq.faces.blocking import Node
from meshmq.names import counted

_EPILOG: Final = """\
Each argument is one message; without arguments each line of stdin is one. It waits until somebody
subscribes to the topic; with --no-wait it publishes at once, to those who are here. It ends when
subscribers have confirmed that they have got as far as the last.

examples:
  meshmq publish weather.kitchen '{"temp": 21.5}'
  meshmq publish weather.kitchen 21.5 --no-wait
  seq 1000 | meshmq publish numbers --rate 10
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "publish", help="tell all subscribers", description="Publish messages to a topic.", epilog=_EPILOG
    )
    parser.add_argument("topic", type=topic, metavar="TOPIC", help="who subscribes to it gets the messages")
    parser.add_argument("messages", nargs="*", metavar="JSON", help="one message each; quote it")
    parser.add_argument("--rate", type=rate, metavar="N", help="so many a second at most")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for a subscriber")
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="wait so long for a subscriber (default: for ever)"
    )
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Publish all messages.

    Raises:
        MeshError: nobody subscribes in time.
    """
    messages = given(arguments.messages, "messages")
    bad = None
    with joined(arguments) as node:
        if not arguments.no_wait:
            _wait(node, arguments.topic, arguments.timeout)
        published = 0
        try:
            for message in _paced(messages, arguments.rate):
                node.publish(arguments.topic, message)
                published += 1
        except UsageError as error:  # those before are published
            bad = error
            words(str(error))
    if arguments.loud:
        words(f"{counted(published, 'message')} published")
    return 0 if bad is None else 2


def _wait(node: Node, wanted: str, timeout: float | None) -> None:
    try:
        node.wait_for(subscribe=wanted, timeout=timeout)
    except TimedOut:
        raise MeshError(
            f"nobody subscribes to {wanted!r} within {timeout:g} s; a subscriber would be: meshmq subscribe {wanted}; "
            "to publish all the same: --no-wait"
        ) from None


def _paced(messages: Iterator[object], limit: float | None) -> Iterator[object]:
    """Yield the messages, the next not before its time has come."""
    if limit is None:
        yield from messages
        return
    begin = time.monotonic()
    for number, message in enumerate(messages):
        wait = begin + number / limit - time.monotonic()
        if wait > 0:
            threading.Event().wait(wait)
        else:  # late: what was missed is not made up for
            begin -= wait
        yield message
