"""How serious a line is, by the first word in it that says so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

ERRORS: Final = ("ERROR", "CRITICAL")
_LEVEL: Final = re.compile(r"\b(DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b")
_SAME: Final = {"WARN": "WARNING", "FATAL": "CRITICAL"}


def level_of(line: str) -> str:
    """Return the level of a line, ``OTHER`` where it names none."""
    found = _LEVEL.search(line)
    return _SAME.get(found[1], found[1]) if found else "OTHER"


def count_levels(lines: Iterable[str]) -> dict[str, int]:
    """Return how many lines there are of each level."""
    return dict(Counter(map(level_of, lines)))
