"""Names and identities, checked once and trusted after; and how they and numbers are shown."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final, NewType

from meshmq.errors import NameInvalid

#: 16 random bytes, new for every incarnation of a node.
NodeId = NewType("NodeId", bytes)

NODE_ID_BYTES: Final = 16
NAME_BYTES: Final = 200
#: What services start with that every node answers, and that stand on no card; and topics that nodes publish to.
RESERVED: Final = "meshmq."
#: What the queue of a group of subscribers starts with; names that programs choose cannot.
GROUP: Final = "#"
#: What the topics of copies start with; the name of the queue or service follows.
TAP: Final = f"{RESERVED}tap."

_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_REFUSED_CHARACTERS: Final = frozenset("*>#/\\'\"`")


def check_name(kind: str, name: object) -> str:
    """Return ``name``, as a plain ``str``, if it can be the name of a ``kind`` (node, mesh, queue, topic, service).

    A name is 1 to 200 bytes of UTF-8 in segments parted by dots; no segment is empty, and none
    holds white space, control characters, quotes, slashes or one of ``* > #``.

    Raises:
        NameInvalid: ``name`` cannot be one.
    """
    if not isinstance(name, str):
        raise NameInvalid(f"the name of a {kind} is a str, not {type(name).__name__}: {name!r}")
    name = str.__str__(name)  # of a member of a StrEnum, say, the text it is
    _check(kind, name)
    return name


@lru_cache(4096)  # each call names a queue, a topic or a service, and nearly always one of a few
def _check(kind: str, name: str) -> None:
    if not name:
        raise NameInvalid(f"the name of a {kind} cannot be empty")
    for character in name:
        if character in _REFUSED_CHARACTERS or unicodedata.category(character) in _REFUSED_CATEGORIES:
            raise NameInvalid(
                f"the name of a {kind} cannot hold {character!r}: {name[:80]!r}; use letters, digits, dots, '-' and '_'"
            )
    if "" in name.split("."):
        raise NameInvalid(f"the name of a {kind} has an empty segment: {name[:80]!r}; write it like 'weather.kitchen'")
    size = len(name.encode())
    if size > NAME_BYTES:
        raise NameInvalid(f"the name of a {kind} has {size} bytes and may have {NAME_BYTES}: {name[:40]!r}...")


def check_queue(name: object) -> str:
    """Return ``name`` if it is a queue's: one that programs name, or that of a group of subscribers.

    Raises:
        NameInvalid: it is none.
    """
    if isinstance(name, str) and name.startswith(GROUP):
        return GROUP + check_name("queue", name.removeprefix(GROUP))
    return check_name("queue", name)


def check_pattern(pattern: object) -> str:
    """Return ``pattern``, as a plain ``str``, if topics can be subscribed to by it.

    It is a topic in which a segment may be ``*`` (any one segment) and the last may be ``**`` (one or more). One that
    begins with such a segment matches none of the nodes' own topics, which begin with ``meshmq.``.

    Raises:
        NameInvalid: it is none.
    """
    if not isinstance(pattern, str):
        raise NameInvalid(f"a pattern of topics is a str, not {type(pattern).__name__}: {pattern!r}")
    pattern = str.__str__(pattern)
    *segments, last = pattern.split(".")
    literal = ".".join("x" if segment == "*" else segment for segment in segments)
    ending = "x" if last in ("*", "**") else last
    check_name("topic", f"{literal}.{ending}" if segments else ending)
    if len(pattern.encode()) > NAME_BYTES:
        raise NameInvalid(f"a pattern of topics may have {NAME_BYTES} bytes: {pattern[:40]!r}...")
    return pattern


def check_service(name: object) -> str:
    """Return ``name`` if a program may serve it.

    Raises:
        NameInvalid: it can be no name, or is one of those that every node serves itself.
    """
    return _not_ours("service", name)


def check_topic(name: object) -> str:
    """Return ``name`` if a program may publish to it.

    Raises:
        NameInvalid: it can be no name, or is one of those that nodes publish to themselves.
    """
    return _not_ours("topic", name)


def _not_ours(what: str, name: object) -> str:
    checked = check_name(what, name)
    if checked.startswith(RESERVED):
        raise NameInvalid(f"{checked!r}: names of {what}s that begin with {RESERVED!r} are the nodes' own")
    return checked


def short(node_id: bytes) -> str:
    """Return the first 8 hex digits of an id: what logs and tables show."""
    return node_id[:4].hex()


def counted(number: int, what: str) -> str:
    """Return ``1 job`` or ``2,000 jobs``."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
