"""Follows one log file through all that befalls log files: it grows, is renamed and made anew, or truncated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Final

#: What is read at once.
CHUNK: Final = 256 * 1024


class Tail:
    """The lines of a file, each once; a file that is not there yet is followed from its start.

    Nobody can know of lines that were truncated before they were read, of a file that was truncated and has grown
    past where we were, or of one that came and went between two looks: look often.
    """

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        self._path, self._rest = path, b""
        self._file = self._open()
        if self._file is not None and not whole:
            self._file.seek(0, os.SEEK_END)

    def read(self) -> list[str]:
        """Return lines that have come since, about as many as a chunk holds; none where there are no new ones."""
        self._file = self._file or self._open()
        if self._file is None:
            return []
        if lines := self._whole_lines(self._file):
            return lines
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return []  # renamed, and not made anew yet: more may be written to what we have
        here = os.fstat(self._file.fileno())
        if not os.path.samestat(there, here):
            # Made anew, so that all is there that was written before, also after we read.
            if lines := self._whole_lines(self._file) or self._last_line():
                return lines
            self._file.close()
            self._file = None
            return self.read()
        if here.st_size < self._file.tell():
            self._file.seek(0)
            return self._last_line() or self.read()
        return []

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> IO[bytes] | None:
        try:
            return self._path.open("rb", buffering=0)
        except FileNotFoundError:
            return None

    def _whole_lines(self, file: IO[bytes]) -> list[str]:
        while chunk := file.read(CHUNK):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if lines:
                return [line.decode(errors="replace") for line in lines]
        return []

    def _last_line(self) -> list[str]:
        """Return the line that nobody will end any more."""
        rest, self._rest = self._rest, b""
        return [rest.decode(errors="replace")] if rest else []
