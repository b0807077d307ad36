"""The first bytes of a peer tell what it speaks, whatever the pieces they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshmq.links.greeting import GREETING_BYTES, OPENING, judge, remainder


def greeting(mechanism: bytes, version: int = 3) -> bytes:
    return b"\xff" + b"\0" * 7 + b"\x01\x7f" + bytes((version, 1)) + mechanism.ljust(20, b"\0") + b"\x01" + b"\0" * 31


@pytest.mark.parametrize(
    ("theirs", "ours", "verdict"),
    [
        (b"NULL", b"NULL", "fine"),
        (b"CURVE", b"CURVE", "fine"),
        (b"NULL", b"CURVE", "no_secret"),
        (b"CURVE", b"NULL", "secret_needed"),
        (b"PLAIN", b"NULL", "not_meshmq"),
        (b"PLAIN", b"CURVE", "not_meshmq"),
    ],
)
def test_the_mechanism_tells_who_has_a_secret(theirs: bytes, ours: bytes, verdict: str) -> None:
    assert judge(greeting(theirs), ours) == verdict


@given(st.integers(0, GREETING_BYTES - 1))
def test_a_greeting_is_awaited_to_its_last_byte(length: int) -> None:
    assert judge(greeting(b"NULL")[:length], b"NULL") == "more"


@pytest.mark.parametrize("said", [b"H", b"HTTP/1.1 400", b"\x01\x00", b"\xff" + b"\0" * 9, greeting(b"NULL", 2)[:11]])
def test_other_protocols_are_known_by_their_first_bytes(said: bytes) -> None:
    assert judge(said, b"NULL") == "not_meshmq"


@given(st.binary(max_size=GREETING_BYTES))
def test_any_bytes_get_a_verdict(said: bytes) -> None:
    assert judge(said, b"CURVE") in ("more", "fine", "no_secret", "not_meshmq")


@pytest.mark.parametrize("mechanism", [b"NULL", b"CURVE"])
def test_ours_is_a_greeting_too(mechanism: bytes) -> None:
    ours = OPENING + remainder(mechanism)
    assert len(ours) == GREETING_BYTES
    assert judge(ours, mechanism) == "fine"
