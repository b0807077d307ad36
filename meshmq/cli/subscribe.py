"""``meshmq subscribe``: print what is published to topics, or how often."""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
import time
from collections import Counter
from typing import Any, Final

from meshmq.cli.joining import joined
from meshmq.cli.options import UsageError, add_shared, count, group, hz, pattern, seconds, since
from meshmq.cli.plain import to_line
from meshmq.cli.silence import when_nobody_reads
from meshmq.cli.terminal import escape, line, words
from meshmq.errors import TimedOut
from meshmq.faces.publishing import Subscription
from meshmq.message import Message
from meshmq.names import counted

_EPILOG: Final = """\
In a pattern * is any one segment, and ** at its end one or more: quote it. One message is one line of
JSON; with --full it has topic, sender, seq, gap (how many were missed right before it), age and data.
What JSON has no form for is written as by "meshmq pull".

--since asks for what publishers keep as history: first, last, from a number (12), or from so many
seconds ago (30s). --latest gives the newest of each topic alone. Of all subscribers of one --group
exactly one gets each message, at least once. --hz prints no messages but how many came in each second
of every topic: on a terminal in one line that is drawn anew, elsewhere as lines of JSON.

examples:
  meshmq subscribe weather.kitchen
  meshmq subscribe 'weather.*' 'alarm.**' --full
  meshmq subscribe weather.kitchen --since first --count 10
  meshmq subscribe orders.new --group billing
  meshmq subscribe '**' --hz
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "subscribe", help="print what is published", description="Subscribe to topics.", epilog=_EPILOG
    )
    parser.add_argument("patterns", nargs="+", type=pattern, metavar="PATTERN", help="a topic, or a pattern of some")
    parser.add_argument("--count", type=count, metavar="N", help="end after so many messages")
    parser.add_argument("--idle", type=seconds, metavar="SECONDS", help="end after so long without a message")
    parser.add_argument("--since", type=since, metavar="WHEN", help="first, last, a number, or seconds ago: 30s")
    parser.add_argument("--latest", action="store_true", help="the newest of each topic alone")
    parser.add_argument("--group", type=group, metavar="NAME", help="share the messages with the group's other members")
    parser.add_argument("--full", action="store_true", help="with topic, sender, seq, gap and age")
    parser.add_argument(
        "--hz", type=hz, nargs="?", const=1.0, metavar="SECONDS", help="show rates, each so many seconds (default: 1)"
    )
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print messages until there are enough of them, or somebody ends it.

    Raises:
        UsageError: options that exclude each other.
    """
    if arguments.group and (arguments.latest or arguments.since is not None):
        raise UsageError("--group takes neither --latest nor --since: publishers keep what the group has not done")
    with joined(arguments, takes_port=True) as node:
        subscription = node.subscribe(
            *arguments.patterns,
            since=arguments.since,
            latest=arguments.latest,
            group=arguments.group,
            idle=arguments.idle,
        )
        with subscription:
            writing = threading.Lock()

            def close() -> None:
                with writing:  # a line that is out is confirmed, whoever goes away then
                    subscription.close()

            when_nobody_reads(close)
            try:
                if arguments.hz is not None:
                    _rates(subscription, arguments)
                else:
                    _print(subscription, arguments, writing)
            finally:
                if subscription.missed and not arguments.latest:
                    words(f"{counted(subscription.missed, 'message')} missed: lost on the way, or too many to print")
    return 0


def _print(subscription: Subscription, arguments: argparse.Namespace, writing: threading.Lock) -> None:
    for taken, message in enumerate(subscription, 1):
        with writing:
            line(to_line(_full(message) if arguments.full else message.data))
            message.ack()  # of a group, at once: the next may come late
        if taken == arguments.count:
            return


def _full(message: Message) -> dict[str, object]:
    fields = ("topic", "sender", "seq", "gap", "age", "data")
    full = {field: getattr(message, field) for field in fields}
    return full if not message.headers else {**full, "headers": message.headers}


def _rates(subscription: Subscription, arguments: argparse.Namespace) -> None:
    """Count messages by topic, and show the rates of each span."""
    span, taken, last = arguments.hz, 0, time.monotonic()
    began, known, counts, missed = last, dict[str, None](), Counter[str](), Counter[str]()
    while not subscription.closed:
        now = time.monotonic()
        if now >= began + span:
            _show(known, counts, missed, now - began)
            began = now
            counts.clear()
            missed.clear()
        try:
            message = subscription.receive(max(0.0, began + span - now))
        except TimedOut:
            if arguments.idle is not None and time.monotonic() >= last + arguments.idle:
                return
            continue
        message.ack()
        last = time.monotonic()
        known[message.topic] = None
        counts[message.topic] += 1
        missed[message.topic] += message.gap
        taken += 1
        if taken == arguments.count:
            _show(known, counts, missed, max(last - began, 1e-9))
            return


def _show(known: dict[str, None], counts: Counter[str], missed: Counter[str], span: float) -> None:
    if not sys.stdout.isatty():
        for name in sorted(known):
            line(to_line({"topic": name, "hz": round(counts[name] / span, 3), "missed": missed[name]}))
        return
    parts = [f"{escape(name)} {counts[name] / span:.1f}/s" for name in sorted(known)]
    text = "  ".join(parts) or "no messages yet"
    sys.stdout.write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
    sys.stdout.flush()
