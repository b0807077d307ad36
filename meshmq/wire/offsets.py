"""Where bodies begin that stand end to end: looked up by who takes a part of a batch."""

from __future__ import annotations

from itertools import accumulate


class Offsets:
    """Where each of some bodies begins that stand end to end, and the end of the last."""

    __slots__ = ("_lengths", "_reckoned", "_total")

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self._lengths, self._total = lengths, sum(lengths)
        self._reckoned: tuple[int, ...] = ()

    def __getitem__(self, index: int) -> int:
        """Return the offset of a body; most batches are taken whole, and nobody asks for what is between."""
        if index == 0:
            return 0
        if index == len(self._lengths):
            return self._total
        if not self._reckoned:
            self._reckoned = (0, *accumulate(self._lengths))
        return self._reckoned[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Offsets) and self._lengths == other._lengths

    def __hash__(self) -> int:
        return hash(self._lengths)
