"""What passes a device for topics is read as it was sent, and any other bytes are refused."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.errors import ProtocolError
from meshmq.wire.frames import VersionMismatch
from meshmq.wire.news import pack_news, read_label, unpack_news
from meshmq.wire.relaying import (
    ENTRIES_LIMIT,
    FROM_DEVICE,
    TO_DEVICE,
    TO_PUBLISHER,
    Echo,
    is_echo,
    pack_echo,
    pack_relayed,
    probe,
    read_probe,
    read_wanted,
    tag,
    unpack_echo,
    unpack_relayed,
)
from meshmq.wire.subscribing import marker

IDS = st.binary(min_size=16, max_size=16)
NUMBERS = st.integers(min_value=0, max_value=2**63 - 1)
NODE = bytes(range(16))


@given(
    IDS,
    NUMBERS,
    st.sampled_from([TO_PUBLISHER, FROM_DEVICE, TO_DEVICE]),
    st.lists(st.builds(Echo, IDS, NUMBERS, NUMBERS)),
)
def test_probes_and_echoes_are_read_as_they_were_made(node: bytes, mark: int, ask: bytes, entries: list[Echo]) -> None:
    string = probe(node, mark, ask)
    assert read_probe(string) == (node, mark, ask)
    assert read_wanted(string) is None
    for frame in pack_echo(string, entries):
        assert is_echo(frame)
        assert frame.startswith(string)
        assert unpack_echo(frame) == (string, entries)


def test_many_entries_take_several_echoes() -> None:
    entries = [Echo(NODE, number + 1, 1) for number in range(ENTRIES_LIMIT + 1)]
    frames = pack_echo(probe(NODE, 1, TO_DEVICE), entries)
    assert [len(unpack_echo(frame)[1]) for frame in frames] == [ENTRIES_LIMIT, 1]
    with pytest.raises(ProtocolError):
        unpack_echo(frames[0] + frames[1][-32:])


def test_a_marker_is_no_probe_and_an_unknown_ask_is_none() -> None:
    assert read_probe(marker(NODE, 7)) is None
    assert read_probe(marker(NODE, 7) + b"\x04") is None
    assert read_probe(b"") is None


def test_what_is_relayed_is_older_and_else_as_it_was() -> None:
    frame = pack_news("a.b", NODE, 1, 5, [b"x", b"yy"], turn=9, kept=True, held=0.25, headers={1: {"k": "v"}})[0]
    label = read_label(frame)
    assert (label.topic, label.publisher, label.turn, label.count) == (b"a.b", NODE, 9, 2)
    publisher, inner = unpack_relayed(pack_relayed(NODE, frame, label.place, 0.5))
    assert publisher == NODE
    before, news = unpack_news([frame]), unpack_news([inner], via=b"d" * 16)
    assert (before.held, news.held, before.via, news.via) == (0.25, 0.75, b"", b"d" * 16)
    assert inner[: label.place + 46] == frame[: label.place + 46]
    assert inner[label.place + 50 :] == frame[label.place + 50 :]
    assert [bytes(news.body(index)) for index in range(2)] == [b"x", b"yy"]
    assert read_wanted(tag(NODE) + b"a.") == (NODE, b"a.")


@given(st.binary(max_size=120))
def test_any_other_bytes_are_refused(frame: bytes) -> None:
    for read in (unpack_echo, unpack_relayed, read_label):
        with suppress(ProtocolError):
            read(frame)
    assert read_probe(frame) is None or len(frame) == 26
    assert read_wanted(frame) is None or frame[:1] == b"\xfe"


def test_another_version_is_said_to_be_one() -> None:
    echo = bytearray(pack_echo(probe(NODE, 1, TO_DEVICE), [Echo(NODE, 1, 1)])[0])
    echo[28] = 9
    with pytest.raises(VersionMismatch):
        unpack_echo(bytes(echo))
    frame = bytearray(pack_news("a", NODE, 1, 5, [b"x"], kept=True, held=0.0)[0])
    frame[4] = 9
    with pytest.raises(VersionMismatch):
        read_label(bytes(frame))
    with pytest.raises(ProtocolError):
        unpack_echo(probe(NODE, 1, TO_DEVICE) + b"MQ\x02" + NODE + struct.pack("!QQ", 2**63, 1))
