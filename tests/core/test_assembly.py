"""Large messages as they come in chunks: what they may be, how long they took, what is kept of them."""

from __future__ import annotations

import pytest

from meshmq.core.assembly import TRANSFER_EXTRA, Assembly
from meshmq.errors import ProtocolError
from meshmq.wire.chunks import CHUNK_BYTES, join_message, pack_chunk
from meshmq.wire.frames import Kind

LIMIT = 10 * CHUNK_BYTES


def test_a_message_in_chunks_tells_for_how_long_it_came() -> None:
    whole, assembly = join_message(Kind.NEWS, [b"a" * 3 * CHUNK_BYTES]), Assembly(1)
    pieces = [pack_chunk(1, at, len(whole)) + whole[at : at + CHUNK_BYTES] for at in range(0, len(whole), CHUNK_BYTES)]
    taken = [assembly.add(memoryview(piece), LIMIT, 5.0 + at) for at, piece in enumerate(pieces)]
    assert taken[:-1] == [None] * (len(pieces) - 1)
    assert taken[-1] is not None
    assert taken[-1][2] == len(pieces) - 1


def test_a_transfer_beyond_the_limit_is_refused_at_its_first_chunk() -> None:
    assembly = Assembly(2)
    assembly.add(memoryview(pack_chunk(1, 0, LIMIT + TRANSFER_EXTRA) + b"x"), LIMIT, 0.0)
    with pytest.raises(ProtocolError, match="one may have"):
        assembly.add(memoryview(pack_chunk(2, 0, LIMIT + TRANSFER_EXTRA + 1) + b"x"), LIMIT, 0.0)


def test_a_chunk_that_does_not_continue_is_refused() -> None:
    assembly = Assembly(2)
    assembly.add(memoryview(pack_chunk(1, 0, 100) + b"x" * 10), LIMIT, 0.0)
    for offset in (0, 5, 11):
        with pytest.raises(ProtocolError, match="does not continue"):
            assembly.add(memoryview(pack_chunk(1, offset, 100) + b"x" * 10), LIMIT, 0.0)


@pytest.mark.parametrize("size", [1, 7, 4095, 4096, 5000])
def test_a_message_in_tiny_chunks_is_kept_without_much_beside(size: int) -> None:
    whole, assembly = join_message(Kind.NEWS, [b"a" * 10_000, b"b" * 3]), Assembly(2)
    found = None
    for start in range(0, len(whole), size):
        assert found is None
        piece = whole[start : start + size]
        found = assembly.add(memoryview(pack_chunk(1, start, len(whole)) + piece), LIMIT, 0.0)
        assert sum(len(pieces) for _, _, pieces in assembly._arriving.values()) <= 1 + start // 4096
    assert found == (Kind.NEWS, [b"a" * 10_000, b"b" * 3], 0.0)
