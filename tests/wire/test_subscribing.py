"""What subscribers and publishers agree on: packed and read again; bytes that are none give one error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.codecs.msgpack import pack_plain
from meshmq.errors import ProtocolError
from meshmq.wire.news import EPOCHS
from meshmq.wire.subscribing import (
    HEADS_LIMIT,
    Fetch,
    Head,
    Wanted,
    marker,
    pack_fetch,
    pack_fetched,
    pack_heads,
    pack_number,
    pack_subscribe,
    read_marker,
    unpack_fetch,
    unpack_fetched,
    unpack_heads,
    unpack_number,
    unpack_subscribe,
)
from tests.wire.strategies import fields, ids, whole

segments = st.text("abcé-_", min_size=1, max_size=6)
topics = st.lists(segments, min_size=1, max_size=4).map(".".join)
patterns = st.tuples(st.lists(segments | st.just("*"), max_size=3), segments | st.sampled_from(["*", "**"])).map(
    lambda parts: ".".join((*parts[0], parts[1]))
)
sinces = st.none() | st.sampled_from(["first", "last"]) | whole | st.floats(0, 1e8)
wanted = st.builds(
    Wanted,
    number=whole,
    patterns=st.lists(patterns, min_size=1, max_size=8).map(tuple),
    since=sinces,
    span=st.floats(0, 1e8),
    way=st.sampled_from(["topics", "latest", "direct"]),
    mark=whole,
    group=st.none() | topics,
    early=st.booleans(),
)
epochs = st.integers(0, EPOCHS - 1)
heads = st.builds(
    lambda topic, epoch, one, other, oldest: Head(topic, epoch, min(one, other), max(one, other), oldest),
    *(topics, epochs, whole, whole, whole),
)
fetches = st.builds(
    lambda number, topic, epoch, one, other, messages, size: Fetch(
        number, topic, epoch, min(one, other), max(one, other), messages, size
    ),
    *(whole, topics, epochs, whole.filter(bool), whole.filter(bool), whole, whole),
)
READERS: list[Callable[[bytes], Any]] = [unpack_subscribe, unpack_heads, unpack_fetch, unpack_fetched, unpack_number]


@given(wanted)
def test_what_is_wanted_is_read_as_it_was_packed(asked: Wanted) -> None:
    (body,) = pack_subscribe(asked)
    assert unpack_subscribe(body) == asked


def test_many_patterns_go_in_several_frames_of_which_the_last_says_so() -> None:
    several = tuple(f"plant.{number}.{'x' * 150}.*" for number in range(20_000))
    parts = [unpack_subscribe(body) for body in pack_subscribe(Wanted(1, several, "first", 2.0, mark=7))]
    assert len(parts) > 1
    assert tuple(pattern for part in parts for pattern in part.patterns) == several
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    assert {(part.number, part.since, part.span, part.mark) for part in parts} == {(1, "first", 2.0, 7)}


@given(whole, st.lists(heads, max_size=10), whole, whole)
def test_heads_are_read_as_they_were_packed(number: int, told: list[Head], turn: int, stamp: int) -> None:
    (body,) = pack_heads(number, told, turn=turn, stamp=stamp)
    read = unpack_heads(body)
    assert (read.number, read.last, read.turn, read.stamp, read.heads) == (number, True, turn, stamp, told)


def test_many_heads_go_in_several_frames_and_the_last_alone_asks_to_be_confirmed() -> None:
    told = [Head(f"t.{number}", 1, 0, number, 0) for number in range(2 * HEADS_LIMIT + 1)]
    parts = [unpack_heads(body) for body in pack_heads(3, told, stamp=5)]
    assert [head for part in parts for head in part.heads] == told
    assert [part.last for part in parts] == [False, False, True]
    assert [part.stamp for part in parts] == [0, 0, 5]


@given(fetches)
def test_a_fetch_is_read_as_it_was_packed(fetch: Fetch) -> None:
    assert unpack_fetch(pack_fetch(fetch)) == fetch


@given(whole, topics, epochs, whole)
def test_what_was_fetched_is_read_as_it_was_packed(number: int, topic: str, epoch: int, upto: int) -> None:
    assert unpack_fetched(pack_fetched(number, topic, epoch, upto)) == (number, topic, epoch, upto)
    assert unpack_number(pack_number(number)) == number


@given(ids, st.integers(0, 2**64 - 1))
def test_a_marker_is_read_as_it_was_made_and_nothing_else_is_one(node_id: bytes, mark: int) -> None:
    string = marker(node_id, mark)
    assert read_marker(string) == (node_id, mark)
    assert read_marker(string[:-1]) is None
    assert read_marker(b"\xfe" + string[1:]) is None


@pytest.mark.parametrize("read", READERS)
@given(body=st.binary(max_size=80) | st.lists(fields, max_size=9).map(pack_plain))
def test_any_bytes_are_read_or_one_error(read: Callable[[bytes], Any], body: bytes) -> None:
    try:
        read(body)
    except ProtocolError:
        return


@given(st.data(), wanted, st.lists(heads, max_size=3), fetches)
def test_what_was_changed_on_the_way_is_read_or_one_error(
    data: st.DataObject, asked: Wanted, told: list[Head], fetch: Fetch
) -> None:
    whole_bodies = [pack_subscribe(asked)[0], pack_heads(1, told)[0], pack_fetch(fetch), pack_fetched(1, "a", 1, 9)]
    for body, read in zip(whole_bodies, READERS, strict=False):
        changed = bytearray(body)
        changed[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        try:
            read(bytes(changed))
        except ProtocolError:
            continue


@pytest.mark.parametrize(
    "row",
    [
        ["a", 1, 5, 4, 0],  # begins after its end
        ["a", -1, 0, 4, 0],
        ["a", EPOCHS, 0, 4, 0],
        ["a", 1, 0, 2**63, 0],
        ["a", 1, 0, 4.0, 0],
        ["", 1, 0, 4, 0],
        ["a", 1, 0, 4],
        "a",
    ],
)
def test_a_head_that_is_none_is_refused(row: object) -> None:
    with pytest.raises(ProtocolError):
        unpack_heads(pack_plain([0, True, 0, 0, [row]]))


@pytest.mark.parametrize(
    "change",
    [
        {1: ["a..b"]},
        {1: ["**.a"]},
        {1: ["x" * 201]},
        {1: ["a"] * 1_001},
        {2: "middle"},
        {2: -1},
        {2: float("nan")},
        {2: True},
        {3: -1.0},
        {3: float("inf")},
        {4: "pigeon"},
        {6: ""},
        {7: 1},
        {8: 1},
    ],
)
def test_a_subscribe_with_a_field_that_is_none_is_refused(change: dict[int, object]) -> None:
    row: list[object] = [1, ["a"], None, 0.0, "topics", 0, None, False, True]
    assert unpack_subscribe(pack_plain(row)).early
    assert not unpack_subscribe(pack_plain(row[:-1])).early
    for place, value in change.items():
        row[place] = value
    with pytest.raises(ProtocolError):
        unpack_subscribe(pack_plain(row))
