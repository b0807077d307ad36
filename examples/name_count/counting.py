"""What is counted: the names in one Python source, and which sources there are.

A name is a NAME token that is no keyword. Soft keywords (``match``, ``case``, ``type``, ``_``) are
names, for outside their own statements they are used as such.
"""

from __future__ import annotations

import io
import keyword
import tokenize
from collections import Counter
from pathlib import Path
from typing import Any, Final

#: Installed packages are no part of the standard library.
FOREIGN: Final = {"site-packages", "dist-packages"}


def sources(top: Path) -> list[Path]:
    """Return every Python file under ``top``, sorted."""
    return sorted(path for path in top.rglob("*.py") if FOREIGN.isdisjoint(path.parts[len(top.parts) :]))


def names_in(source: bytes) -> dict[str, int] | None:
    """Return how often each name occurs; ``None`` where the source cannot be tokenized."""
    try:
        tokens = tokenize.tokenize(io.BytesIO(source).readline)
        names = Counter(token.string for token in tokens if token.type == tokenize.NAME)
    except (SyntaxError, UnicodeError, tokenize.TokenError):
        return None
    return {name: times for name, times in names.items() if not keyword.iskeyword(name)}


class Totals:
    """The sum over files, each of them added once, whatever comes twice."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        self.files: set[str] = set()
        self.unreadable: set[str] = set()
        self.shares: Counter[str] = Counter()
        self.repeats = 0

    def add(self, path: str, names: dict[str, int] | None, by: str) -> None:
        """Add the names of one file, counted by somebody, if it was not there before."""
        if path in self.files:
            self.repeats += 1
            return
        self.files.add(path)
        self.shares[by] += 1
        if names is None:
            self.unreadable.add(path)
        else:
            self.names.update(names)

    def as_words(self) -> dict[str, Any]:
        """Return a copy of the totals, as values that JSON has."""
        return {
            "names": dict(self.names),
            "files": sorted(self.files),
            "unreadable": sorted(self.unreadable),
            "shares": dict(self.shares),
            "repeats": self.repeats,
        }
