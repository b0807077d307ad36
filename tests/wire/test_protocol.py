"""PROTOCOL.md says what the code does: its kinds, words, verdicts, reasons and limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

import meshmq.wire
from meshmq.codecs import large, tree
from meshmq.codecs.scalars import KINDS
from meshmq.core import copies, stream, throughput
from meshmq.core.feed import audience, errands, publisher
from meshmq.links import published
from meshmq.names import NAME_BYTES
from meshmq.wire import batches, calls, card, chunks, fields, frames, headers, news, relaying, subscribing
from meshmq.wire.card import Word
from meshmq.wire.frames import NUMBERED, Kind
from meshmq.wire.verdicts import Verdict
from tests.wire.golden_frames import FRAMES

TEXT = (Path(meshmq.wire.__file__).parent / "PROTOCOL.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table that has this heading."""
    lines = TEXT.split(heading, 1)[1].splitlines()[2:]
    table = lines[: next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table]


def test_the_kinds_are_those_of_the_code() -> None:
    table = rows("| kind | name | numbered | body |")
    assert {(int(code), name): numbered == "yes" for code, name, numbered, _ in table} == {
        (int(kind), kind.name): kind in NUMBERED for kind in Kind
    }


def test_the_words_are_those_of_the_code() -> None:
    assert {(int(code), name) for code, name, _ in rows("| kind | name | keys |")} == {(int(w), w.name) for w in Word}


def test_the_verdicts_are_those_of_the_code() -> None:
    table = rows("| verdict | name | meaning |")
    assert {(int(code), name) for code, name, _ in table} == {(int(verdict), verdict.name) for verdict in Verdict}


def test_the_statuses_of_an_answer_are_those_of_the_code() -> None:
    table = rows("| status | name | meaning |")
    assert {(int(code), name) for code, name, _ in table} == {(int(s), s.name) for s in calls.Status}


def test_the_keys_of_a_card_are_those_of_the_code() -> None:
    _, sent = card.unpack_body(FRAMES["session_card"].ours[frames.HEAD_BYTES :])
    assert [key for key, *_ in rows("| key | type | what |")] == list(sent)


def test_the_reasons_of_a_goodbye_are_those_of_the_code() -> None:
    core = Path(meshmq.wire.__file__).parents[1] / "core"
    source = "\n".join(path.read_text() for path in core.glob("*.py"))
    said = set(re.findall(r'(?:_turn_away|_say_bye|expel|close)\([^()]*"([a-z]+)"', source)) | {"left"}
    assert {reason for reason, *_ in rows("| reason | meaning | then |")} == said


LIMITS = {
    "a name of a node, mesh, queue, topic or service, and a pattern, bytes of UTF-8": NAME_BYTES,
    "whole numbers in bodies are below": fields.NUMBERS,
    "epochs are below": frames.EPOCHS,
    "bytes of a body that is an array": fields.BODY_LIMIT,
    "bytes of a body on the control link": card.BODY_LIMIT,
    "ranges in one ACKS, SETTLE or RECEIPT": fields.RANGES_LIMIT,
    "origins in one ACKS": frames.GROUPS_LIMIT,
    "names on a card: queues, services, and what is forwarded": card.NAMES_LIMIT,
    "addresses of one node, of each link": card.ADDRESSES_LIMIT,
    "characters of an address": card.STRING_LIMIT,
    "subscriptions of one connection": published.MOST_CLAIMS,
    "peers in one PEERS": card.PEERS_LIMIT,
    "jobs in a batch, messages in news": batches.JOBS_LIMIT,
    "bytes of the extras of a batch or of news": headers.EXTRAS_LIMIT,
    "bytes of a chunk": chunks.CHUNK_MOST,
    "bytes uncovered": throughput.WINDOW_MOST,
    "transfers unfinished": stream.TRANSFERS,
    "characters of the headers of one job, message or request": headers.HEADERS_LIMIT,
    "seconds left in a REQUEST": calls.LEFT_LIMIT,
    "bytes of a value on a topics link": publisher.TOPICS_BYTES,
    "bytes of a subscription on a topics link": published.LONGEST_SUBSCRIPTION,
    "subscriptions of one connection to a topics link": published.MOST_SUBSCRIPTIONS,
    "bytes of all of them": published.MOST_SUBSCRIBED_BYTES,
    "patterns in one SUBSCRIBE": subscribing.PATTERNS_LIMIT,
    "subscriptions of one peer, and their patterns (one with wildcards counts for each of its segments)": (
        audience.FOLLOWERS_MOST
    ),
    "characters of these patterns": audience.TEXT_MOST,
    "subscriptions of one peer that are not answered yet": audience.UNANSWERED_MOST,
    "fetches of one peer at a time": errands.FETCHES_MOST,
    "topics in one HEADS": subscribing.HEADS_LIMIT,
    "numbers that one FETCH looks at": errands.LOOKED_AT,
    "publishers in one echo": relaying.ENTRIES_LIMIT,
}


def test_the_limits_are_those_of_the_code() -> None:
    assert {name: int(value) for name, value in rows("| limit | value |")} == LIMITS


def test_the_kinds_of_values_are_those_of_the_code() -> None:
    containers = [int(code) for code, *_ in rows("| code | value | the rest of the array |")]
    assert containers == [
        tree.TUPLE, tree.SET, tree.FROZENSET, tree.MAPPING, tree.REGISTERED, tree.ARRAY, tree.NUMBER, tree.EXTENSION,
        large.BYTES, large.BYTEARRAY, large.VIEW,
    ]  # fmt: skip
    assert [int(code) for code, *_ in rows("| code | value | bytes |")] == list(range(16, 16 + len(KINDS)))


@pytest.mark.parametrize(
    ("heading", "size"),
    [
        ("starts with the **head**, 20 bytes:\n\n| bytes | what |", frames.HEAD_BYTES),
        ("one frame, which is the whole message.\n\n| bytes | what |", news.FIXED_BYTES),
    ],
)
def test_the_bytes_of_the_head_add_up(heading: str, size: int) -> None:
    assert sum(int(count) for count, _ in rows(heading) if count.isdecimal()) == size


def test_the_ways_news_come_are_those_of_the_code() -> None:
    (row,) = [cells for cells in rows("| field of SUBSCRIBE | type | what |") if cells[0] == "way"]
    assert re.findall(r"`(\w+)`:", f"`{row[2]}") == list(get_args(subscribing.Way))


def test_the_version_is_that_of_the_code() -> None:
    assert TEXT.startswith(f"# The MeshMQ protocol, version {frames.VERSION}\n")


def test_the_headers_of_copies_are_those_of_the_code() -> None:
    told = [name.strip("` ") for names, _ in rows("| header | what |") for name in names.split(",")]
    assert told == [value for name, value in vars(copies).items() if name.endswith("_HEADER")]
    assert f"more than {publisher.TOPICS_BYTES:,} bytes" in TEXT
