"""The rules of an exchange, and where they send a message; pure, and whatever comes raises nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from meshmq.core.feed.patterns import matches
from meshmq.routing.conditions import Condition

Kind = Literal["queue", "topic"]


class Place(NamedTuple):
    """A queue or a topic, by its name: where a message comes from, or goes to."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which messages go where: those of which all holds that is asked for."""

    name: str
    to: tuple[Place, ...]
    """Queues and topics, by name."""

    sources: tuple[Place, ...] = ()
    """Names or patterns; it came from one of them. Without any, from wherever."""

    headers_all: tuple[tuple[str, str], ...] = ()
    """Headers and their texts; it has all of them."""

    headers_any: tuple[tuple[str, str], ...] = ()
    """Headers and their texts; it has one of them at least."""

    where: tuple[Condition, ...] = ()
    """What holds of its content, all of it."""

    def takes(self, data: object, headers: Mapping[str, str], source: Place) -> bool:
        """Whether a message that came from a queue or topic is one of those; never raises."""
        if self.sources and not any(
            place.kind == source.kind and matches(place.name, source.name) for place in self.sources
        ):
            return False
        if not all(headers.get(key) == text for key, text in self.headers_all):
            return False
        if self.headers_any and not any(headers.get(key) == text for key, text in self.headers_any):
            return False
        return all(condition.holds(data) for condition in self.where)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a file of rules says."""

    exchange: str
    """Its name, and that of the group in which its routers share what is published."""

    queues: tuple[str, ...]
    """The queues it pulls."""

    topics: tuple[str, ...]
    """The topics, or patterns of some, that it subscribes to."""

    unmatched: Place
    """The queue for what no rule takes."""

    rules: tuple[Rule, ...]
    every: bool = False
    """Whether all rules that take a message send it, or the first of them alone."""

    def route(self, data: Any, headers: Mapping[str, str], source: Place) -> tuple[Place, ...]:
        """Return where a message goes: each place once, in the order of the rules; never raises."""
        found: dict[Place, None] = {}
        for rule in self.rules:
            if rule.takes(data, headers, source):
                if not self.every:
                    return rule.to
                found.update(dict.fromkeys(rule.to))
        return tuple(found) or (self.unmatched,)


def meet(one: str, other: str) -> bool:
    """Whether there is a name that both patterns match."""
    ours, theirs = one.split("."), other.split(".")
    for first, second in zip(ours, theirs, strict=False):
        if "**" in (first, second):
            return True
        if first != second and "*" not in (first, second):
            return False
    return len(ours) == len(theirs)
