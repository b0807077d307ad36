"""How a subscriber and a publisher agree over their session: what is wanted, what there is, what to send again.

All bodies are MessagePack arrays; PROTOCOL.md has the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from meshmq.codecs.msgpack import pack_plain
from meshmq.errors import ProtocolError
from meshmq.names import check_pattern
from meshmq.wire.fields import BODY_LIMIT, NUMBERS, read_fields, read_name, read_texts
from meshmq.wire.news import EPOCHS

#: What a subscriber's marker on a topics link starts with; its id and the number of the marker follow.
MARKER: Final = b"\xff"
MARKER_BYTES: Final = 25

#: How values come: small ones over the topics link, only the latest of each topic, or all over the direct link.
Way = Literal["topics", "latest", "direct"]
_WAYS: Final[dict[str, Way]] = {way: way for way in get_args(Way)}
#: From where on: the oldest kept, the last one, a number, or so many seconds ago.
Since = Literal["first", "last"] | int | float
PATTERNS_LIMIT: Final = 1_000
HEADS_LIMIT: Final = 200
PATTERN_BYTES: Final = 200
_SPAN_LIMIT: Final = 1e9
_FIELDS_BYTES: Final = 1_024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one subscription asks a publisher for; ``span`` is for how many seconds it has asked already."""

    number: int
    patterns: tuple[str, ...]
    since: Since | None = None
    span: float = 0.0
    way: Way = "topics"
    #: It is answered once this marker, or a later one, is heard on the topics link (0: at once).
    mark: int = 0
    group: str | None = None
    #: Whether further patterns of the same subscription follow in the next frame.
    more: bool = False
    #: Whether it was there before the publisher was known to publish: all that this one has published since is its own.
    early: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Of one topic: numbers from ``base`` + 1 on are the subscriber's, up to ``head``; from ``oldest`` on (0: none)
    they are kept."""

    topic: str
    epoch: int
    base: int
    head: int
    oldest: int


def pack_subscribe(wanted: Wanted) -> list[bytes]:
    """Return the bodies of as many SUBSCRIBE frames as the patterns need; the last says that it is."""
    parts: list[list[str]] = [[]]
    room = BODY_LIMIT - _FIELDS_BYTES
    for pattern in wanted.patterns:
        size = len(pattern.encode()) + 3
        if size > room or len(parts[-1]) == PATTERNS_LIMIT:
            parts.append([])
            room = BODY_LIMIT - _FIELDS_BYTES
        parts[-1].append(pattern)
        room -= size
    return [
        pack_plain(
            [
                wanted.number,
                part,
                wanted.since,
                wanted.span,
                wanted.way,
                wanted.mark,
                wanted.group,
                index < len(parts) - 1,
                *([True] if wanted.early else ()),
            ]
        )
        for index, part in enumerate(parts)
    ]


def unpack_subscribe(body: bytes) -> Wanted:
    """Read the body of a SUBSCRIBE.

    Raises:
        ProtocolError: it is none.
    """
    kinds = int, list, (str, int, float, type(None)), float, str, int, (str, type(None)), bool
    number, patterns, since, span, way, mark, group, more, early = read_fields(body, *kinds, later=(bool,))
    texts = read_texts(patterns, PATTERNS_LIMIT, PATTERN_BYTES)
    for text in texts:
        try:
            check_pattern(text)
        except ValueError as error:
            raise ProtocolError("a pattern that is none") from error
    if isinstance(since, str) and since not in ("first", "last"):
        raise ProtocolError("a SUBSCRIBE from nowhere")
    if isinstance(since, int | float) and not 0 <= since < (NUMBERS if type(since) is int else _SPAN_LIMIT):
        raise ProtocolError("a SUBSCRIBE from nowhere")
    if not 0.0 <= span < _SPAN_LIMIT:
        raise ProtocolError("a SUBSCRIBE with a span that is none")
    # A way that a later version invents is one that we cannot serve.
    known = _WAYS.get(way)
    if known is None:
        raise ProtocolError("a SUBSCRIBE by a way that is none")
    name = None if group is None else read_name(group)
    return Wanted(number, texts, since, span, known, mark, name, more, early)


def marker(node_id: bytes, mark: int) -> bytes:
    """Return the string that a subscriber subscribes to, at a topics link, after all others."""
    return MARKER + node_id + mark.to_bytes(8, "big")


def read_marker(string: bytes) -> tuple[bytes, int] | None:
    """Return ``(node id, number)`` of a marker, nothing where a string is none."""
    if len(string) != MARKER_BYTES or string[:1] != MARKER:
        return None
    return string[1:17], int.from_bytes(string[17:], "big")


def pack_number(number: int) -> bytes:
    """Return the body of an UNSUBSCRIBE (a subscription's number) or a SEEN (a stamp)."""
    return pack_plain([number])


def unpack_number(body: bytes) -> int:
    """Read the body of an UNSUBSCRIBE or a SEEN.

    Raises:
        ProtocolError: it is none.
    """
    (number,) = read_fields(body, int)
    return int(number)


def pack_heads(number: int, heads: Sequence[Head], *, turn: int = 0, stamp: int = 0, last: bool = True) -> list[bytes]:
    """Return the bodies of as many HEADS frames as needed, one at least.

    ``number`` is the subscription they answer, 0 for all of the peer's. ``stamp`` asks for a SEEN, in the last
    frame. With ``last`` the answer is whole after the last frame. ``turn`` is that of the last frame that went out
    on the topics link.
    """
    parts = [heads[start : start + HEADS_LIMIT] for start in range(0, len(heads), HEADS_LIMIT)] or [[]]
    final = len(parts) - 1
    return [
        pack_plain(
            [
                number,
                last and index == final,
                stamp if index == final else 0,
                turn,
                [[head.topic, head.epoch, head.base, head.head, head.oldest] for head in part],
            ]
        )
        for index, part in enumerate(parts)
    ]


@dataclass(frozen=True, slots=True)
class Heads:
    """What a HEADS tells, of subscription ``number`` or (0) of all of them."""

    number: int
    last: bool
    stamp: int
    turn: int
    heads: list[Head]


def unpack_heads(body: bytes) -> Heads:
    """Read the body of a HEADS.

    Raises:
        ProtocolError: it is none.
    """
    number, last, stamp, turn, rows = read_fields(body, int, bool, int, int, list)
    if len(rows) > HEADS_LIMIT:
        raise ProtocolError("a HEADS with too many topics")
    heads = []
    for row in rows:
        if type(row) is not list or len(row) < 5:
            raise ProtocolError("a HEADS with a topic that is none")
        topic, epoch, base, head, oldest = row[:5]
        if not all(type(value) is int and 0 <= value < NUMBERS for value in row[1:5]) or epoch >= EPOCHS or base > head:
            raise ProtocolError("a HEADS with a topic that is none")
        heads.append(Head(read_name(topic), epoch, base, head, oldest))
    return Heads(number, last, stamp, turn, heads)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Send again what is kept of a topic from number ``first`` to ``last``, at most so many messages and bytes."""

    number: int
    topic: str
    epoch: int
    first: int
    last: int
    messages: int
    size: int


def pack_fetch(fetch: Fetch) -> bytes:
    """Return the body of a FETCH."""
    return pack_plain([fetch.number, fetch.topic, fetch.epoch, fetch.first, fetch.last, fetch.messages, fetch.size])


def unpack_fetch(body: bytes) -> Fetch:
    """Read the body of a FETCH.

    Raises:
        ProtocolError: it is none.
    """
    number, topic, epoch, first, last, messages, size = read_fields(body, int, str, int, int, int, int, int)
    if epoch >= EPOCHS or not 0 < first <= last:
        raise ProtocolError("a FETCH with fields that are none")
    return Fetch(number, read_name(topic), epoch, first, last, messages, size)


def pack_fetched(number: int, topic: str, epoch: int, upto: int) -> bytes:
    """Return the body of a FETCHED: what was fetched up to ``upto`` has been sent, or is not there any more."""
    return pack_plain([number, topic, epoch, upto])


def unpack_fetched(body: bytes) -> tuple[int, str, int, int]:
    """Read the body of a FETCHED.

    Raises:
        ProtocolError: it is none.
    """
    number, topic, epoch, upto = read_fields(body, int, str, int, int)
    if epoch >= EPOCHS:
        raise ProtocolError("a FETCHED with fields that are none")
    return number, read_name(topic), epoch, upto
