"""Values as they are typed or read: JSON, one in each argument or line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from meshmq.cli.options import UsageError
from meshmq.cli.plain import from_line
from meshmq.cli.terminal import words


def given(arguments: Sequence[str], what: str) -> Iterator[object]:
    """Return the values of the arguments, all read at once; without any those of stdin, line by line.

    Raises:
        UsageError: an argument is no JSON value; or, from the iterator, a line.
    """
    if arguments:
        return iter([parse(text, f"argument {number}") for number, text in enumerate(arguments, 1)])
    return _lines(what)


def parse(text: str | bytes, where: str) -> object:
    """Return one value.

    Raises:
        UsageError: it is none.
    """
    try:
        return from_line(text)
    except ValueError as error:
        shown = text if isinstance(text, str) else text.decode(errors="replace")
        raise UsageError(
            f"{where} is no JSON value: {shown.strip()[:60]!r} ({error}); a text needs its quotes, as in '\"text\"'"
        ) from None


def _lines(what: str) -> Iterator[object]:
    if sys.stdin.isatty():
        words(f"reading {what}, one JSON value per line, until Ctrl-D")
    for number, text in enumerate(sys.stdin.buffer, 1):
        if text.strip():
            yield parse(text, f"line {number}")
