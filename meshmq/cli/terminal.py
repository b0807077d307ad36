"""What is printed: data on stdout, words on stderr, and nothing that steers the terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Final

_LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)


def escape(text: str) -> str:
    """Return ``text`` with all that is not printable as ``\\x1b`` or ``\\u202e``."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def words(text: str) -> None:
    """Say something to whoever watches: a line on stderr, escaped."""
    if sys.stderr is not None:  # print would take stdout instead
        print(f"meshmq: {escape(text)}", file=sys.stderr, flush=True)


def line(text: str) -> None:
    """Print one line of data and let it go at once.

    Raises:
        OSError: stdout does not take it; ``BrokenPipeError`` where nobody reads it any more.
    """
    if sys.stdout is None:  # closed before we began
        raise BrokenPipeError
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under their heads in columns two spaces apart, escaped."""
    cells = [[escape(cell) or "-" for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def span(seconds: float | None) -> str:
    """Return a span for people: ``0.3 ms``, ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    for limit, unit, size in ((60, "s", 1), (3600, "min", 60), (86_400, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


class _Formatter(logging.Formatter):
    def __init__(self, *, loud: bool) -> None:
        super().__init__()
        self._loud = loud

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's message, escaped; tracebacks, line by line, are for ``-vv`` alone."""
        if not self._loud:
            return f"meshmq: {escape(record.getMessage())}"
        rows = [f"meshmq: {record.name} {record.levelname}: {record.getMessage()}"]
        if record.exc_info:
            rows += [f"  {row}" for row in self.formatException(record.exc_info).split("\n")]
        return "\n".join(map(escape, rows))


def start_logging(loud: int) -> logging.Handler:
    """Send what MeshMQ logs to stderr: warnings, with ``loud`` 1 news, with 2 everything. Returns the handler."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(loud=loud >= 2))
    handler.setLevel(_LEVELS[min(loud, 2)])
    logger = logging.getLogger("meshmq")
    logger.addHandler(handler)
    logger.setLevel(handler.level)
    logger.propagate = False
    return handler


def stop_logging(handler: logging.Handler) -> None:
    """Take back what ``start_logging`` did."""
    logger = logging.getLogger("meshmq")
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True
