"""Whether a value holds only what comes back as it was, and is not nested too deeply."""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

from meshmq.codecs.base import DEPTH

_CONTAINERS: Final = frozenset({list, dict})


def fits(data: object, leaves: frozenset[type]) -> bool:
    """Tell whether ``data`` is lists and dicts of ``leaves`` and not too deep, one level at a time."""
    if type(data) is dict and leaves.issuperset(map(type, data.values())):
        return leaves.issuperset(map(type, data))  # the most common shape, without more ado
    if type(data) in leaves or (type(data) is list and leaves.issuperset(map(type, data))):
        return True
    nodes: list[Any] = [data]
    for _ in range(DEPTH + 1):
        kinds = {*map(type, nodes)}
        if kinds <= leaves:
            return True
        if kinds - leaves - _CONTAINERS:
            return False
        below = list(chain.from_iterable([node for node in nodes if type(node) is list]))
        if dict in kinds:
            dicts = [node for node in nodes if type(node) is dict]
            if not leaves.issuperset(map(type, chain.from_iterable(dicts))):
                return False
            below += chain.from_iterable(map(dict.values, dicts))
        nodes = below
    return False
