"""Markers: what subscribers have in effect at our topics link, by the last string each subscribed to."""

from __future__ import annotations

from typing import Final

from meshmq.wire.relaying import TO_PUBLISHER
from meshmq.wire.subscribing import MARKER_BYTES, read_marker

#: Of how many strangers markers are remembered, and of each how many: anybody may subscribe to anything.
_STRANGERS_MOST: Final = 65_536
_EACH: Final = 8


class Marks:
    """All markers that stand, counted: an old one may be withdrawn after the new one came [F 45]."""

    def __init__(self) -> None:
        self._by_node: dict[bytes, dict[int, int]] = {}

    def tuned(self, string: bytes, present: bool) -> None:
        """Learn of a subscription to our topics link, which may be a marker."""
        told = read_marker(string.removesuffix(TO_PUBLISHER) if len(string) > MARKER_BYTES else string)
        if told is None:
            return
        node_id, mark = told
        marks = self._by_node.get(node_id)
        if marks is None:
            if not present or len(self._by_node) >= _STRANGERS_MOST:
                return
            marks = self._by_node[node_id] = {}
        marks[mark] = marks.get(mark, 0) + (1 if present else -1)
        for gone in [known for known, count in marks.items() if count <= 0]:
            del marks[gone]
        while len(marks) > _EACH:
            del marks[min(marks)]
        if not marks:
            del self._by_node[node_id]

    def reached(self, node_id: bytes, mark: int) -> bool:
        """Whether a node's marker, or a later one, stands."""
        return not mark or any(known >= mark for known in self._by_node.get(node_id, ()))
