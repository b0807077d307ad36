"""What links tell each other of shared memory: by hand as PROTOCOL.md says, and read with suspicion."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

import meshmq.wire
from meshmq.errors import ProtocolError
from meshmq.links.shared.segments import CELLS
from meshmq.wire.frames import Kind
from meshmq.wire.loans import (
    FOUND,
    LENT,
    MEMORY,
    STARTS,
    Lent,
    Memory,
    pack_found,
    pack_lent,
    pack_memory,
    unpack_found,
    unpack_lent,
    unpack_memory,
)

TOKEN = bytes(range(16))
RECORDS = st.builds(
    Lent,
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
    st.integers(0, 2**64 - 1),
)


def test_each_is_packed_as_it_is_written() -> None:
    assert pack_memory(Memory(4711, 12, 99, TOKEN)) == b"MQ\2\5" + bytes(16) + pack("!IIQ", 4711, 12, 99) + TOKEN
    assert pack_found(TOKEN) == b"MQ\2\6" + bytes(16) + TOKEN
    records = pack("!BIQIBQ", 2, 13, 100, 3, 4, 65_536) + pack("!BIQIBQ", 1, 13, 100, 0, 4, 7)
    assert pack_lent([Lent(2, 13, 100, 3, 4, 65_536), Lent(1, 13, 100, 0, 4, 7)]) == b"MQ\2\7" + bytes(16) + records


def test_their_starts_are_those_of_no_other_frame() -> None:
    assert STARTS == {b"MQ\2\5": MEMORY, b"MQ\2\6": FOUND, b"MQ\2\7": LENT}


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=40))
def test_memory_and_answers_come_back(process: int, descriptor: int, inode: int, answer: bytes) -> None:
    memory = Memory(process, descriptor, inode, TOKEN)
    assert unpack_memory(pack_memory(memory)) == memory
    assert unpack_found(pack_found(answer)) == answer


@given(st.lists(RECORDS, min_size=1, max_size=20, unique_by=lambda one: one.place))
def test_what_is_lent_comes_back(lent: list[Lent]) -> None:
    frames = [pack_lent(lent)] + [b""] * (max(one.place for one in lent) + 1)
    assert unpack_lent(frames) == lent


ONE = Lent(1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize(
    "frames",
    [
        [pack_lent([])],
        [pack_lent([]), b"", b""],
        [pack_lent([ONE])[:-1], b"", b""],
        [pack_lent([ONE]) + b"x", b"", b""],
        [pack_lent([ONE]), b""],
        [pack_lent([ONE]), b"head", b"there"],
        [pack_lent([ONE, ONE]), b"head", b""],
        [b"MQ\2\7"],
    ],
    ids=["none", "no records", "cut", "more", "no such frame", "it is there", "twice", "short"],
)
def test_what_fits_no_message_is_refused(frames: list[bytes]) -> None:
    with pytest.raises(ProtocolError, match=r"^a LENT with "):
        unpack_lent(frames)


@given(st.binary(max_size=60), st.lists(st.binary(max_size=2), max_size=4))
def test_any_bytes_are_read_or_refused(frame: bytes, more: list[bytes]) -> None:
    with suppress(ProtocolError):
        unpack_memory(frame)
    with suppress(ProtocolError):
        unpack_lent([frame, *more])


def test_the_protocol_tells_of_them() -> None:
    text = (Path(meshmq.wire.__file__).parent / "PROTOCOL.md").read_text()
    for kind, name in ((MEMORY, "MEMORY"), (FOUND, "FOUND"), (LENT, "LENT")):
        assert f"\n| {kind} | {name} |" in text
    assert f"a row of {CELLS} cells" in text
    assert kind not in set(Kind)
