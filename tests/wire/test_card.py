"""Cards and words of the control link: what is packed is read back, and what is none is told as such."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.errors import ProtocolError
from meshmq.wire.card import (
    ADDRESSES_LIMIT,
    BODY_LIMIT,
    NAMES_LIMIT,
    PEERS_LIMIT,
    STRING_LIMIT,
    Card,
    Word,
    own_string,
    pack_beat,
    pack_card,
    pack_peers,
    pack_word,
    read_card,
    read_own_string,
    read_peers,
    read_stamp,
    unpack_body,
)
from meshmq.wire.frames import VersionMismatch
from tests.wire.golden_frames import CARD, NODE
from tests.wire.golden_jobs import msgpack
from tests.wire.strategies import addresses, cards, fields, ids, told_peers, whole

GOOD = unpack_body(pack_card(CARD))[1]


@given(cards)
def test_a_card_is_read_back(card: Card) -> None:
    word, values = unpack_body(pack_card(card))
    assert (word, read_card(values)) == (Word.CARD, card)


@given(whole, st.sampled_from([Word.ASK, Word.PING, Word.PONG]))
def test_words_are_read_back(stamp: int, word: Word) -> None:
    read, values = unpack_body(pack_word(word, stamp))
    assert (read, read_stamp(values)) == (word, stamp)
    read, values = unpack_body(pack_beat(stamp))
    assert (read, read_stamp(values, "number")) == (Word.BEAT, stamp)


@given(told_peers)
def test_peers_are_read_back(told: list[tuple[bytes, tuple[str, ...]]]) -> None:
    assert read_peers(unpack_body(pack_peers(told))[1]) == told


@given(ids, st.lists(st.text("abc:/.0123456789", min_size=1, max_size=30), max_size=8))
def test_an_own_string_is_read_back(node_id: bytes, own: list[str]) -> None:
    assert read_own_string(own_string(node_id, own)) == (node_id, tuple(own))


@given(st.binary(max_size=600))
def test_any_bytes_are_an_own_string_or_a_protocol_error(string: bytes) -> None:
    for given_string in (string, b"\xff" + string):
        with suppress(ProtocolError):
            read_own_string(given_string)


@given(st.binary(max_size=100), st.sampled_from(range(256)))
def test_any_bytes_are_a_word_or_a_protocol_error(rest: bytes, kind: int) -> None:
    for body in (rest, b"MQ\x02" + bytes([kind]) + rest):
        with suppress(ProtocolError):
            unpack_body(body)


@given(st.sampled_from([*GOOD]), fields)
def test_a_card_with_any_value_anywhere_is_a_card_or_a_protocol_error(key: str, value: object) -> None:
    with suppress(ProtocolError):
        read_card({**GOOD, key: value})


@given(fields)
def test_any_list_of_peers_is_one_or_a_protocol_error(value: object) -> None:
    with suppress(ProtocolError):
        read_peers({"peers": value})
    assert read_stamp({"stamp": value}) >= 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": b"short"},
        {"id": "x" * 16},
        {"name": ""},
        {"name": "x" * 201},
        {"name": "a\x07"},
        {"name": b"a"},
        {"mesh": None},
        {"mesh": "a\nb"},
        {"number": -1},
        {"number": 2**63},
        {"number": True},
        {"number": 1.0},
        {"state": None},
        {"state": []},
        {"control": "tcp://a"},
        {"control": [""]},
        {"control": ["x" * (STRING_LIMIT + 1)]},
        {"control": ["tcp://a:1"] * (ADDRESSES_LIMIT + 1)},
        {"direct": [1]},
        {"direct": ["tcp://a:1\r\n"]},
        {"pulls": {"jobs": 1}},
        {"pulls": ["jobs", ""]},
        {"pulls": ["x" * 201]},
        {"pulls": ["jobs"] * (NAMES_LIMIT + 1)},
        {"forwards": {"jobs": 1}},
        {"forwards": ["jobs"]},
        {"forwards": [["jobs", ""]]},
        {"forwards": [["jobs"] * (NAMES_LIMIT - 1)] * 3},
    ],
)
def test_a_card_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    assert read_card(GOOD) == CARD
    with pytest.raises(ProtocolError):
        read_card({**GOOD, **wrong})


@pytest.mark.parametrize("missing", ["id", "name", "mesh", "number", "state"])
def test_a_card_without_what_it_must_have_is_refused(missing: str) -> None:
    with pytest.raises(ProtocolError):
        read_card({key: value for key, value in GOOD.items() if key != missing})


def test_what_a_card_need_not_have_is_empty() -> None:
    least = {key: GOOD[key] for key in ("id", "name", "mesh", "number", "state")}
    assert read_card(least) == Card(NODE, "camera", "default", 7)


def test_a_card_of_the_most_and_longest_queues_is_read() -> None:
    queues = tuple(f"{number:04}".ljust(200, "x") for number in range(NAMES_LIMIT))
    many = tuple(f"tcp://{number:03}".ljust(STRING_LIMIT, "x") for number in range(40))
    body = pack_card(Card(NODE, "n" * 200, "m" * 200, 2**63 - 1, "draining", many, many, queues))
    assert len(body) <= BODY_LIMIT
    card = read_card(unpack_body(body)[1])
    assert (card.pulls, card.control, card.direct) == (queues, many[:ADDRESSES_LIMIT], many[:ADDRESSES_LIMIT])


def test_of_too_many_peers_as_many_are_told_as_fit() -> None:
    long = [f"tcp://{number}".ljust(STRING_LIMIT, "x") for number in range(40)]
    told = [(number.to_bytes(16, "big"), long) for number in range(2_000)]
    body = pack_peers(told)
    assert BODY_LIMIT * 0.9 < len(body) <= BODY_LIMIT
    assert len(read_peers(unpack_body(body)[1])) > 50
    short = [(number.to_bytes(16, "big"), ["tcp://10.0.0.1:5555"]) for number in range(2_000)]
    assert len(read_peers(unpack_body(pack_peers(short))[1])) == PEERS_LIMIT


@given(ids, addresses)
def test_an_own_string_is_never_too_long_and_keeps_whole_addresses(node_id: bytes, many: tuple[str, ...]) -> None:
    string = own_string(node_id, many * 10)
    assert len(string) <= STRING_LIMIT
    if many:
        kept = read_own_string(string)[1] if len(string) <= STRING_LIMIT else ()
        assert kept == (many * 10)[: len(kept)]


def test_a_card_nests_no_bombs() -> None:
    with pytest.raises(ProtocolError):
        unpack_body(b"MQ\x02\x01" + b"\x91" * 100_000 + b"\xc0")
    with pytest.raises(ProtocolError):
        unpack_body(b"MQ\x02\x01\xdf\xff\xff\xff\xff")
    with pytest.raises(ProtocolError, match="it may have"):
        unpack_body(b"MQ\x02\x01" + msgpack({"x": bytes(BODY_LIMIT)}))


@pytest.mark.parametrize("body", [b"MQ\x02\x07\x80", b"MQ\x02\x00\x80", b"MQ\x02\x01\x90", b"MQ\x02\x01\xc0"])
def test_a_word_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpack_body(body)


def test_another_version_is_told_as_such() -> None:
    with pytest.raises(VersionMismatch):
        unpack_body(b"MQ\x03\x01\x80")
