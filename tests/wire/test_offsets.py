"""Offsets: what is looked up is what is reckoned, whoever asks first."""

from __future__ import annotations

from itertools import accumulate
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from meshmq.wire.offsets import Offsets


@given(st.lists(st.integers(0, 300), max_size=20), st.randoms(use_true_random=False))
def test_each_offset_is_the_sum_of_the_lengths_before(lengths: list[int], random: Random) -> None:
    offsets = Offsets(tuple(lengths))
    expected = [0, *accumulate(lengths)]
    order = list(range(len(expected)))
    random.shuffle(order)
    assert [offsets[index] for index in order] == [expected[index] for index in order]
    assert offsets == Offsets(tuple(lengths)) != Offsets((*lengths, 1))
