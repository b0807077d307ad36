"""``meshmq route``: an exchange, which sends messages on by the rules in a file."""

from __future__ import annotations

import argparse
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from meshmq.cli.joining import joined
from meshmq.cli.modules import add_import, import_modules
from meshmq.cli.options import add_shared
from meshmq.cli.terminal import line, table, words
from meshmq.errors import ClosedError, MeshError, Undelivered
from meshmq.links.interrupts import start_apart
from meshmq.names import GROUP, counted
from meshmq.routing.file import RulesInvalid, read_rules
from meshmq.routing.router import Router
from meshmq.routing.rules import Rule
from meshmq.settings import Settings
from meshmq.waiting import AGAIN_AFTER

#: Seconds between two looks whether something holds the router up.
LOOK: Final = 5.0
#: A queue that is full and that nobody pulls holds the router up, and it says so; nothing is given up.
_PATIENT: Final = Settings(patience=1e9)

_EPILOG: Final = """\
FILE is TOML, and read and checked before anything starts: each mistake is told with its line.

  exchange = "shop"                # its name; routers with the same file share the load
  from_queues = ["orders"]         # what it takes: queues by name,
  from_topics = ["weather.**"]     # topics by name or pattern
  unmatched = "unrouted"           # the queue for what no rule takes
  match = "first"                  # the first rule that takes a message, or "all" that do

  [[rule]]                         # takes what all of these hold of; each may be left out:
  name = "large"
  from_queues = "orders"           # where it comes from, by name or pattern
  headers_all = {kind = "new"}     # all of these headers;
  headers_any = {vip = "1"}        # one of these, at least
  where = ['total >= 900', 'customer.country in ["DE", "AT"]', 'path matches "*.jpg"']
  to_queues = ["large-orders"]     # where it goes, by name
  to_topics = ["audit.orders"]

A condition is FIELD OP VALUE. The field is keys parted by dots, or . for the data itself; OP is one of
==, !=, <, <=, >, >=, in, matches; the value is written as in TOML. What has no such field does not match.

A job is confirmed when all that was made of it is, so a router that is killed loses none: they are done
again by another one, with the same ids. What is published comes to one of the routers, at least once;
what a router publishes is at most once. Where nobody confirms what was sent on, no more is taken after
10,000 jobs of a queue, and it says so: have somebody pull the queue for what no rule takes, too.

Data of registered classes needs --import, for what a router cannot read is dropped, and counted as
unreadable. Ctrl-C or SIGTERM drains.

examples:
  meshmq route rules.toml --check
  meshmq route rules.toml
  meshmq route rules.toml --import shop.orders
"""


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "route", help="send messages on by rules", description="Run an exchange.", epilog=_EPILOG
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the rules, as TOML")
    parser.add_argument("--check", action="store_true", help="print the rules, or what is wrong with them, and end")
    add_import(parser)
    add_shared(parser, place="after")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Route until somebody ends it.

    Raises:
        UsageError: a module cannot be imported.
        MeshError: not all that was sent on was confirmed in time.
    """
    try:
        rules = read_rules(arguments.file)
    except RulesInvalid as error:
        for mistake in error.mistakes:
            words(mistake)
        return 2
    if arguments.check:
        rest = ("", "the rest", "", str(rules.unmatched))
        line(table(("RULE", "TAKES", "WHERE", "TO"), [*map(_row, rules.rules), rest]))
        taken = [f"queue {queue}" for queue in rules.queues] + [f"topic {topic}" for topic in rules.topics]
        how = "every rule" if rules.every else "the first rule"
        words(f"exchange {rules.exchange} takes {', '.join(taken)}; {how} that takes a message sends it on")
        return 0
    import_modules(arguments.modules)
    with joined(arguments, _PATIENT, takes_port=True) as node:
        router, over = Router(node, rules), threading.Event()
        watch = threading.Thread(target=_watch, args=(router, over), name="watch of the router", daemon=True)
        start_apart(watch)
        try:
            node.run()
        except Undelivered as left:
            if any(queue.startswith(GROUP) for queue in left.queues):  # what was published is at most once
                raise
            raise MeshError(
                f"{counted(left.unsent + left.unconfirmed, 'job')} not confirmed in time; what they were made of "
                "goes back to its pushers, and is routed again"
            ) from left
        finally:
            over.set()
            watch.join()
            words(f"{counted(router.routed, 'message')} routed, {router.unmatched:,} of them to {rules.unmatched}")
    return 0


def _watch(router: Router, over: threading.Event) -> None:
    """Say what holds the router up: soon, and then now and then."""
    with suppress(ClosedError):
        while not over.wait(LOOK):
            if why := router.held_up():
                words(why)
                over.wait(AGAIN_AFTER)


def _row(rule: Rule) -> tuple[str, str, str, str]:
    asks = [f"{key}: {text}" for key, text in rule.headers_all]
    if rule.headers_any:
        asks.append(" or ".join(f"{key}: {text}" for key, text in rule.headers_any))
    asks += [condition.text for condition in rule.where]
    return rule.name, ", ".join(map(str, rule.sources)) or "anything", ", ".join(asks), ", ".join(map(str, rule.to))
