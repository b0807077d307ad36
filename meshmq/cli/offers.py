"""``meshmq topics``, ``queues`` and ``services``: who offers what, and who takes it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Final

from meshmq.cli.asking import ask_all, names, number, part
from meshmq.cli.joining import joined, settle
from meshmq.cli.options import add_shared
from meshmq.cli.plain import to_line
from meshmq.cli.terminal import line, table, words
from meshmq.core.feed.patterns import Patterns
from meshmq.errands import STATS, TOPICS
from meshmq.names import GROUP, RESERVED
from meshmq.seeing import PeerView

Told = list[tuple[PeerView, dict[str, Any]]]


@dataclass
class Offer:
    """One name: who gives into it, who takes from it, and the numbers of its row."""

    givers: list[str] = field(default_factory=list)
    takers: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, key: str, amount: float) -> None:
        """Count what one more node says."""
        self.numbers[key] = self.numbers.get(key, 0) + int(amount)


def topics_of(told: Told) -> dict[str, Offer]:
    """Return the topics that are published, and the patterns that match none of them; those of nodes are not shown."""
    offers: dict[str, Offer] = {}
    for peer, answer in told:
        for name in names(answer, "publishes"):
            offer = offers.setdefault(name, Offer())
            offer.givers.append(peer.name)
            offer.add("published", number(answer, "publishes", name))
        for kind in ("publishes", "subscribes"):
            if more := number(answer, "more", kind):
                words(f"{peer.name} {kind} to {more:,.0f} more names, which are not shown")
    wanted = [(pattern, place) for place, (_, answer) in enumerate(told) for pattern in names(answer, "subscribes")]
    index: Patterns[tuple[str, int]] = Patterns()
    for pattern, place in wanted:
        index.add(pattern, (pattern, place))
    idle = dict.fromkeys(wanted)
    for name, offer in offers.items():
        found = index.matching(name)
        offer.takers += [told[place][0].name for place in sorted({place for _, place in found})]
        for one in found:
            idle.pop(one, None)
    for pattern, place in idle:
        offers.setdefault(pattern, Offer(numbers={"published": 0})).takers.append(told[place][0].name)
    return {name: offer for name, offer in offers.items() if not name.startswith(RESERVED)}


def queues_of(told: Told) -> dict[str, Offer]:
    """Return the queues that are pushed to or pulled from; the queues of groups belong to their topics."""
    offers: dict[str, Offer] = {}
    for peer, answer in told:
        pushed = [name for name in names(answer, "queues") if "push" in part(answer, "queues", name)]
        for name in pushed:
            offer = offers.setdefault(name, Offer())
            offer.givers.append(peer.name)
            offer.add("depth", number(answer, "queues", name, "push", "depth"))
            offer.add("in_flight", number(answer, "queues", name, "push", "in_flight"))
        for name in peer.pulls:
            offers.setdefault(name, Offer()).takers.append(peer.name)
    for offer in offers.values():
        offer.numbers = {"depth": 0, "in_flight": 0} | offer.numbers
    return {name: offer for name, offer in offers.items() if not name.startswith(GROUP)}


def services_of(told: Told) -> dict[str, Offer]:
    """Return the services that are served or asked for; those of every node are not shown."""
    offers: dict[str, Offer] = {}
    for peer, answer in told:
        for name in peer.serves:
            offer = offers.setdefault(name, Offer())
            offer.givers.append(peer.name)
            offer.add("running", number(answer, "services", name, "reply", "running"))
            offer.add("done", number(answer, "services", name, "reply", "done"))
        for name in names(answer, "services"):
            if "request" in part(answer, "services", name):
                offers.setdefault(name, Offer()).takers.append(peer.name)
    for offer in offers.values():
        offer.numbers = {"running": 0, "done": 0} | offer.numbers
    return {name: offer for name, offer in offers.items() if not name.startswith(RESERVED)}


@dataclass(frozen=True)
class Command:
    """One of the three: what it asks of whom, and how its table is headed."""

    name: str
    asks: str
    read: Callable[[Told], dict[str, Offer]]
    gives: str
    takes: str
    epilog: str


_COMMANDS: Final = (
    Command(
        "topics",
        TOPICS,
        topics_of,
        "published_by",
        "subscribed_by",
        "A pattern that nobody publishes to stands for itself. Of a node with very many names the busiest are shown.\n",
    ),
    Command(
        "queues",
        STATS,
        queues_of,
        "pushed_by",
        "pulled_by",
        "DEPTH is how many jobs are not confirmed yet, at all who push; IN FLIGHT those that workers have of them.\n",
    ),
    Command(
        "services",
        STATS,
        services_of,
        "served_by",
        "asked_by",
        "RUNNING and DONE are of all servers together; ASKED BY are the nodes here that have ever asked.\n",
    ),
)


def add_arguments(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the three commands to the parser."""
    for command in _COMMANDS:
        parser = commands.add_parser(
            command.name,
            help=f"{command.name}, who offers them and who takes them",
            description=f"Show the {command.name} of this mesh, who offers them and who takes them.",
            epilog=f"A node joins for a moment, asks all others and leaves.\n{command.epilog}\n"
            f"examples:\n  meshmq {command.name}\n  meshmq {command.name} 'a*'\n  meshmq {command.name} --json\n",
        )
        parser.add_argument("names", nargs="*", metavar="NAME", help="these alone; * stands for any text")
        parser.add_argument("--json", action="store_true", help="for programs")
        add_shared(parser, place="after")
        parser.set_defaults(run=partial(_run, command))


def _run(command: Command, arguments: argparse.Namespace) -> int:
    with joined(arguments) as node:
        settle(node)
        told = ask_all(node, command.asks)
        mesh = node.mesh
    offers = {
        name: offer
        for name, offer in sorted(command.read(told).items())
        if not arguments.names or any(fnmatchcase(name, wanted) for wanted in arguments.names)
    }
    if arguments.json:
        line(to_line({name: _plain(command, offer) for name, offer in offers.items()}))
    elif offers:
        line(_table(command, offers))
    else:
        which = " with such a name" if arguments.names else ""
        line(f"no {command.name}{which} in the mesh {mesh!r}")
    return 0


def _plain(command: Command, offer: Offer) -> dict[str, Any]:
    return {**offer.numbers, command.gives: offer.givers, command.takes: offer.takers}


def _table(command: Command, offers: dict[str, Offer]) -> str:
    numbers = list(next(iter(offers.values())).numbers)
    head = [command.name.removesuffix("s"), *numbers, command.gives, command.takes]
    rows = [
        (name, *(f"{offer.numbers[key]:,}" for key in numbers), _shown(offer.givers), _shown(offer.takers))
        for name, offer in offers.items()
    ]
    return table([word.upper().replace("_", " ") for word in head], rows)


def _shown(found: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(found))
