"""Topics and the patterns that match them, segment by segment.

A topic is segments parted by dots. In a pattern ``*`` stands for any one segment, and ``**``, which comes
last, for one or more. ``a`` does not match ``ab``, and ``a.**`` does not match ``a``. Topics that begin with
``meshmq.`` are the nodes' own: a wildcard that comes first does not stand for it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from meshmq.names import RESERVED

ValueT = TypeVar("ValueT", bound=Hashable)


def matches(pattern: str, topic: str) -> bool:
    """Whether ``pattern`` matches ``topic``."""
    if topic.startswith(RESERVED) and not pattern.startswith(RESERVED):
        return False
    wanted, given = pattern.split("."), topic.split(".")
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        if len(given) <= len(wanted):
            return False
    elif len(given) != len(wanted):
        return False
    return all(segment in ("*", name) for segment, name in zip(wanted, given, strict=False))


def covers(wide: str, narrow: str) -> bool:
    """Whether ``wide`` matches every topic that ``narrow`` matches."""
    outer, inner = wide.split("."), narrow.split(".")
    if outer[-1] == "**":
        outer = outer[:-1]
        if len(inner) <= len(outer):
            return False
    elif len(inner) != len(outer) or inner[-1] == "**":
        return False
    return all(segment in ("*", name) for segment, name in zip(outer, inner, strict=False))


def prefix(pattern: str) -> bytes:
    """Return what news that ``pattern`` matches start with: all of a literal topic, and the byte that ends it."""
    literal: list[str] = []
    for segment in pattern.split("."):
        if segment in ("*", "**"):
            return b"".join(part.encode() + b"." for part in literal)
        literal.append(segment)
    return pattern.encode() + b"\0"


def weight(pattern: str) -> int:
    """Return how much of an index a pattern takes: one without wildcards is one entry, another one for each segment."""
    return pattern.count(".") + 1 if "*" in pattern else 1


class _Node(Generic[ValueT]):
    __slots__ = ("children", "here", "rest")

    def __init__(self) -> None:
        self.children: dict[str, _Node[ValueT]] = {}
        self.here: dict[ValueT, None] = {}
        self.rest: dict[ValueT, None] = {}

    @property
    def empty(self) -> bool:
        return not (self.children or self.here or self.rest)


class Patterns(Generic[ValueT]):
    """Values, each under patterns; finds those of which a pattern matches a topic, without looking at the others."""

    def __init__(self) -> None:
        self._root: _Node[ValueT] = _Node()
        self._literal: dict[str, dict[ValueT, None]] = {}
        #: Grows with every change.
        self.version = 0

    def add(self, pattern: str, value: ValueT) -> None:
        """Put a value under a pattern; twice is once."""
        self.version += 1
        if "*" not in pattern:
            self._literal.setdefault(pattern, {})[value] = None
            return
        *segments, last = pattern.split(".")
        node = self._root
        for segment in segments if last == "**" else (*segments, last):
            node = node.children.setdefault(segment, _Node())
        (node.rest if last == "**" else node.here)[value] = None

    def remove(self, pattern: str, value: ValueT) -> None:
        """Take a value from under a pattern, if it is there."""
        self.version += 1
        if "*" not in pattern:
            values = self._literal.get(pattern, {})
            values.pop(value, None)
            if not values:
                self._literal.pop(pattern, None)
            return
        *segments, last = pattern.split(".")
        node, path = self._root, []
        for segment in segments if last == "**" else (*segments, last):
            if segment not in node.children:
                return
            path.append((node, segment))
            node = node.children[segment]
        (node.rest if last == "**" else node.here).pop(value, None)
        for parent, segment in reversed(path):
            if not parent.children[segment].empty:
                return
            del parent.children[segment]

    def matching(self, topic: str) -> list[ValueT]:
        """Return the values of which at least one pattern matches, each once."""
        found = dict(self._literal.get(topic, ()))
        nodes, segments = [self._root], topic.split(".")
        if topic.startswith(RESERVED):
            own = self._root.children.get(segments.pop(0))
            nodes = [own] if own is not None else []
        for segment in segments:
            further: list[_Node[ValueT]] = []
            for node in nodes:
                found |= node.rest
                further += [node.children[name] for name in (segment, "*") if name in node.children]
            nodes = further
        for node in nodes:
            found |= node.here
        return list(found)
