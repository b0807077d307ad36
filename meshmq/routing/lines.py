"""Says in which line of a TOML text a key stands, which ``tomllib`` does not tell.

It is asked again, statement by statement: a newline ends a statement exactly where all until it is whole, so lines
are added until ``tomllib`` takes them. There is no second grammar that could see another text than the first.
"""

from __future__ import annotations

import tomllib
from typing import Any

#: Keys, and indices of arrays, from the top of the file.
Path = tuple[str | int, ...]


class Lines:
    """The lines, from 1, in which the keys of a text stand; and the elements of its arrays, where they end.

    The text is TOML, or all that is wrong with it is that its last statement does not end.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        #: The last element of each array of tables.
        self._last: dict[Path, int] = {}
        self._table: Path = ()
        #: Where the last statement begins that is begun.
        self.last = 1
        statement: list[str] = []
        for number, line in enumerate(text.split("\n"), 1):
            self.last = self.last if statement else number
            statement.append(line)
            try:
                found = _parse(statement)
            except tomllib.TOMLDecodeError:
                continue
            if line.strip() or len(statement) > 1:
                self._note(found, statement)
            statement = []

    def of(self, path: Path) -> int:
        """Return the line of what stands at ``path``, or of the nearest that holds it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def _note(self, found: dict[str, Any], statement: list[str]) -> None:
        if not statement[0].lstrip().startswith("["):
            self._note_values(self._table, found, statement)
            return
        keys, value = [], found
        while value:
            ((key, value),) = value.items()
            keys.append(key)
            if isinstance(value, list):  # [[key]]: one more
                path = (*self._resolve(keys[:-1]), key)
                self._last[path] = self._last.get(path, -1) + 1
                self._lines.setdefault(path, self.last)
                break
        self._table = self._resolve(keys)
        for length in range(1, len(self._table) + 1):
            self._lines.setdefault(self._table[:length], self.last)

    def _resolve(self, keys: list[str]) -> Path:
        """Return the path that keys mean: under an array of tables they are of its last element."""
        path: Path = ()
        for key in keys:
            path += (key,)
            if path in self._last:
                path += (self._last[path],)
        return path

    def _note_values(self, table: Path, found: dict[str, Any], statement: list[str]) -> None:
        for key, value in found.items():
            path = (*table, key)
            self._lines.setdefault(path, self.last)
            if isinstance(value, dict):
                self._note_values(path, value, statement)
            elif isinstance(value, list):
                self._note_elements(path, value, statement)

    def _note_elements(self, path: Path, elements: list[Any], statement: list[str]) -> None:
        """Close the array after each of its lines: so many elements end until there."""
        begun = 0
        for length in range(1, len(statement)):
            try:
                found: Any = _parse([*statement[:length], "]"])
            except tomllib.TOMLDecodeError:
                continue
            while isinstance(found, dict):
                found = next(iter(found.values()))
            for index in range(begun, len(found)):
                self._lines.setdefault((*path, index), self.last + length - 1)
            begun = len(found)
        for index in range(begun, len(elements)):
            self._lines.setdefault((*path, index), self.last + len(statement) - 1)


def _parse(lines: list[str]) -> dict[str, Any]:
    return tomllib.loads("\n".join(lines) + "\n")
