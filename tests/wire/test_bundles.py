"""Small frames of calls that go together: what is packed is read again, and what is none is told as such."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.errors import ProtocolError
from meshmq.wire.bundles import BUNDLED, pack_bundle, unpack_bundle
from meshmq.wire.frames import Kind

ENTRIES = st.lists(st.tuples(st.sampled_from(sorted(BUNDLED)), st.binary(max_size=50)), max_size=20)


@given(ENTRIES)
def test_a_bundle_is_read_back_in_its_order(entries: list[tuple[Kind, bytes]]) -> None:
    assert unpack_bundle(pack_bundle(entries)) == entries


@given(st.binary(max_size=200))
def test_any_bytes_are_a_bundle_or_a_protocol_error(body: bytes) -> None:
    with suppress(ProtocolError):
        unpack_bundle(body)


@pytest.mark.parametrize("cut", [1, 4, 5, 7])
def test_a_bundle_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ProtocolError, match="cut short"):
        unpack_bundle(pack_bundle([(Kind.CANCEL, b"123")])[:cut])


@pytest.mark.parametrize("kind", [Kind.BUNDLE, Kind.JOBS, Kind.CHUNK, Kind.HELLO, Kind.CARD])
def test_nothing_but_calls_stands_in_a_bundle(kind: Kind) -> None:
    with pytest.raises(ProtocolError, match=f"of kind {int(kind)}"):
        unpack_bundle(pack_bundle([(kind, b"123")]))
