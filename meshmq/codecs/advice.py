"""What whoever sends a value that cannot travel is told to send instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum

from meshmq.codecs import scalars
from meshmq.codecs.base import PLAIN


def advice_on(value: object) -> str:
    """Return why a value cannot travel, and what to send."""
    kind = type(value)
    name = kind.__qualname__
    if isinstance(value, Enum) or is_dataclass(kind) or (isinstance(value, tuple) and hasattr(kind, "_fields")):
        return f"is a {name}, which is not registered: decorate the class with @meshmq.register on both ends"
    for base in (*PLAIN, list, dict, tuple, set, frozenset, *scalars.KINDS):
        if isinstance(value, base):
            return f"is a {name}, a subclass that would arrive as {base.__name__}: send {base.__name__}(value)"
    if isinstance(value, Iterator):
        return f"is a {name}, which can be read only once: send list(value)"
    return f"is a {name}, which cannot travel: send a dict of its parts"
