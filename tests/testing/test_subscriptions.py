"""Subscriptions of fakes match as ZeroMQ's do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshmq.testing.subscriptions import Subscriptions

STRINGS = st.binary(max_size=3)


@given(st.lists(st.tuples(st.booleans(), STRINGS)), st.binary(max_size=5))
def test_a_string_counts_once_and_matches_what_begins_with_it(changes: list[tuple[bool, bytes]], first: bytes) -> None:
    subscriptions, model = Subscriptions(), set[bytes]()
    for present, string in changes:
        if present:
            assert subscriptions.add(string) == (string not in model)
            model.add(string)
        else:
            assert subscriptions.drop(string) == (string in model)
            model.discard(string)
    assert list(subscriptions) == sorted(model)
    assert len(subscriptions) == len(model)
    assert subscriptions.match(first) == any(first.startswith(string) for string in model)
