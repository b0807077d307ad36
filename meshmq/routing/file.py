"""Reads a file of rules, and says all that is wrong with it, each mistake with its line.

::

    exchange = "shop"                       # its name; routers with the same file share the load
    from_queues = ["orders"]                # what it takes: queues by name,
    from_topics = ["weather.**"]            # topics by name or pattern
    unmatched = "unrouted"                  # the queue for what no rule takes
    match = "first"                         # the first rule that takes a message sends it; or "all" that do

    [[rule]]                                # takes what all of this holds of:
    name = "large"                          # (not needed)
    from_queues = "orders"                  # it came from there, by name or pattern
    from_topics = "weather.*.outside"
    headers_all = {kind = "new", vip = "1"} # it has these headers
    headers_any = {lang = "de", land = "at"}
    where = ["total >= 1000", 'customer.country in ["DE", "AT"]']
    to_queues = ["large-orders"]            # where it goes, by name
    to_topics = ["audit.orders"]

One name needs no brackets. What a condition may be stands in ``conditions.py``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection
from difflib import get_close_matches
from pathlib import Path as File
from typing import Any, Final, TypeVar

from meshmq.core.feed.patterns import matches
from meshmq.errors import ConfigError
from meshmq.names import check_name, check_pattern
from meshmq.routing.conditions import read_condition
from meshmq.routing.lines import Lines, Path
from meshmq.routing.rules import Kind, Place, Rule, Rules, meet

ReadT = TypeVar("ReadT")
#: Far more than anybody writes by hand.
SIZE_LIMIT: Final = 1 << 20
_TOP: Final = ("exchange", "from_queues", "from_topics", "unmatched", "match", "rule")
_RULE: Final = ("name", "from_queues", "from_topics", "headers_all", "headers_any", "where", "to_queues", "to_topics")
_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)")


class RulesInvalid(ConfigError):
    """A file of rules cannot be used; ``mistakes`` has all that is wrong, each as ``file:line: what``."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def read_rules(file: File) -> Rules:
    """Return the rules in a file.

    Raises:
        RulesInvalid: it cannot be read, or does not say what it must.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(SIZE_LIMIT + 1)
        text = content.decode()
    except OSError as error:
        raise RulesInvalid([f"{file}: it cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RulesInvalid([f"{file}:{line}: it is not UTF-8, as TOML is: save it so"]) from error
    if len(content) > SIZE_LIMIT:
        raise RulesInvalid([f"{file}: it is larger than {SIZE_LIMIT:,} bytes: part it by what it takes"])
    return parse_rules(text, str(file))


def parse_rules(text: str, file: str) -> Rules:
    """Return the rules in a text; ``file`` is what mistakes call it.

    Raises:
        RulesInvalid: it does not say what it must.
    """
    try:
        found = tomllib.loads(text + "\n")  # what ends without one is told no line
    except tomllib.TOMLDecodeError as error:
        told = _AT_LINE.search(str(error))
        line = int(told[1]) if told else Lines(text).last
        words = _AT_LINE.sub("", str(error)).replace("at end of document", "what begins here does not end")
        raise RulesInvalid([f"{file}:{line}: this is no TOML: {words}"]) from error
    except RecursionError as error:
        raise RulesInvalid([f"{file}: it is nested too deeply"]) from error
    reader = _Reader()
    rules = reader.read(found)
    if reader.mistakes:
        lines = Lines(text)
        placed = sorted((lines.of(path), number, words) for number, (path, words) in enumerate(reader.mistakes))
        raise RulesInvalid([f"{file}:{line}: {words}" for line, _, words in placed])
    return rules


class _Reader:
    """Makes rules of what TOML says, and goes on after a mistake to find the others."""

    def __init__(self) -> None:
        self.mistakes: list[tuple[Path, str]] = []

    def read(self, found: dict[str, Any]) -> Rules:
        """Return the rules; of no use where there are mistakes."""
        self._check_keys(found, (), _TOP, "a file of rules")
        (exchange,) = self._one(found, "exchange", 'its name, as in exchange = "shop"', _name("group")) or ("",)
        queues = self._many(found, (), "from_queues", _name("queue"))
        topics = self._many(found, (), "from_topics", check_pattern)
        if not ("from_queues" in found or "from_topics" in found):
            self._wrong((), 'it takes nothing: say from_queues = ["..."] or from_topics = ["..."]')
        (unmatched,) = self._one(
            found, "unmatched", 'the queue for what no rule takes, as in unmatched = "unrouted"', _name("queue")
        ) or ("",)
        if unmatched in queues:
            self._wrong(("unmatched",), _endless(f"queue {unmatched!r}", "from_queues"))
        if (match := found.get("match", "first")) not in ("first", "all"):
            self._wrong(("match",), f'match is "first" or "all", not {match!r}')
        tables = found.get("rule", [])
        if not (isinstance(tables, list) and tables and all(isinstance(table, dict) for table in tables)):
            self._wrong(("rule",), "it has no rules: write each under [[rule]]")
            tables = []
        rules = [self._rule(table, ("rule", number), queues, topics) for number, table in enumerate(tables)]
        if match == "first":
            self._check_reached(tables)
        return Rules(exchange, queues, topics, Place("queue", unmatched), tuple(rules), match == "all")

    def _rule(self, table: dict[str, Any], path: Path, queues: tuple[str, ...], topics: tuple[str, ...]) -> Rule:
        self._check_keys(table, path, _RULE, "a rule")
        name = table.get("name", f"rule {int(path[-1]) + 1}")
        if not (isinstance(name, str) and name.strip() and name.isprintable()):
            self._wrong((*path, "name"), f"name is a text, not {name!r}")
        sources = [
            *self._sources(table, path, "queue", queues),
            *self._sources(table, path, "topic", topics),
        ]
        to = [Place("queue", queue) for queue in self._many(table, path, "to_queues", _name("queue"))]
        to += [Place("topic", topic) for topic in self._many(table, path, "to_topics", _name("topic"))]
        for kind, taken in (("queue", queues), ("topic", topics)):
            for place in to:
                if place.kind == kind and any(matches(pattern, place.name) for pattern in taken):
                    self._wrong((*path, f"to_{kind}s"), _endless(f"{kind} {place.name!r}", f"from_{kind}s"))
        if not ("to_queues" in table or "to_topics" in table):
            self._wrong(path, 'the rule leads nowhere: say to_queues = ["..."] or to_topics = ["..."]')
        return Rule(
            str(name),
            tuple(dict.fromkeys(to)),
            tuple(sources),
            self._headers(table, path, "headers_all"),
            self._headers(table, path, "headers_any"),
            self._many(table, path, "where", read_condition),
        )

    def _sources(self, table: dict[str, Any], path: Path, kind: Kind, taken: tuple[str, ...]) -> list[Place]:
        key, sources = f"from_{kind}s", []
        for pattern in self._many(table, path, key, check_pattern):
            sources.append(Place(kind, pattern))
            if not any(meet(pattern, each) for each in taken):
                there = ", ".join(map(repr, taken)) or "nothing"
                self._wrong((*path, key), f"nothing comes from {kind} {pattern!r}: {key} of the file has {there}")
        return sources

    def _headers(self, table: dict[str, Any], path: Path, key: str) -> tuple[tuple[str, str], ...]:
        headers = table.get(key)
        if headers is None:
            return ()
        if isinstance(headers, dict) and headers and all(isinstance(text, str) for text in headers.values()):
            return tuple(headers.items())
        self._wrong((*path, key), f'{key} are headers and their texts, as in {key} = {{kind = "new"}}')
        return ()

    def _one(self, table: dict[str, Any], key: str, what: str, read: Callable[[str], ReadT]) -> tuple[ReadT, ...]:
        if not isinstance(table.get(key, ""), str):
            self._wrong((key,), f"{key} is a text: {what}")
        elif key not in table:
            self._wrong((), f"{key} is missing: {what}")
        else:
            return self._many(table, (), key, read)
        return ()

    def _many(self, table: dict[str, Any], path: Path, key: str, read: Callable[[str], ReadT]) -> tuple[ReadT, ...]:
        """Return what stands under a key: one text, or an array of them."""
        given, path = table.get(key), (*path, key)
        if given is None:
            return ()
        texts = [given] if isinstance(given, str) else given
        if not (isinstance(texts, list) and texts):
            self._wrong(path, f"{key} is a text in quotes, or an array of some, not {given!r}")
            return ()
        found: dict[ReadT, None] = {}
        for index, text in enumerate(texts):
            try:
                if not isinstance(text, str):
                    raise ConfigError(f"each of {key} is a text in quotes, not {text!r}")
                found[read(text)] = None
            except ConfigError as error:
                self._wrong((*path, index), str(error))
        return tuple(found)

    def _check_keys(self, table: dict[str, Any], path: Path, known: Collection[str], what: str) -> None:
        for key in table.keys() - known:
            close = get_close_matches(key, known, 1)
            right = f"did you mean {close[0]}?" if close else f"it may have {', '.join(known)}"
            self._wrong((*path, key), f"{key!r} is no key of {what}: {right}")

    def _check_reached(self, tables: list[dict[str, Any]]) -> None:
        for number, table in enumerate(tables[:-1], 1):
            if table.keys() <= {"name", "to_queues", "to_topics"}:
                self._wrong(("rule", number), f"no message comes here: rule {number} asks for nothing, and takes all")
                return

    def _wrong(self, path: Path, words: str) -> None:
        self.mistakes.append((path, words))


def _name(kind: str) -> Callable[[str], str]:
    return lambda name: check_name(kind, name)


def _endless(place: str, key: str) -> str:
    return f"{place} is also in {key}, so that what is sent there would come back for ever: name another"
