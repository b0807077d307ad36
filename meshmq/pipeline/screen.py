"""Where a run is told: the lines of its processes, and below them, on a terminal, a table that is rewritten."""

from __future__ import annotations

import io
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Final, TextIO

from meshmq.pipeline.report import Report
from meshmq.pipeline.table import line, summary, table
from meshmq.supervisor import write_out

#: Seconds from one line to the next, where nothing can be rewritten.
LINE_EVERY: Final = 10.0


class Screen:
    """Lines go to stdout, the table, the line now and then and the summary to stderr."""

    def __init__(self) -> None:
        self._stream: TextIO = sys.stderr
        self._live = self._stream.isatty()
        self._lock = threading.RLock()
        self._table: list[str] = []
        self._next = time.monotonic() + LINE_EVERY

    @contextmanager
    def above(self) -> Iterator[None]:
        """Have what is written to stderr, and logged there, stand above the table."""
        if not self._live:
            yield
            return
        stream = _Above(self)
        handlers = [
            handler
            for handler in logging.getLogger("meshmq").handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream
        ]
        for handler in handlers:
            handler.setStream(stream)
        try:
            with redirect_stderr(stream):
                yield
        finally:
            stream.end()
            for handler in handlers:
                handler.setStream(self._stream)

    def write(self, line: bytes) -> None:
        """Write a line of a process."""
        self.insert(lambda: write_out(line))

    def insert(self, write: Callable[[], object]) -> None:
        """Have something written where the table is, and the table after it."""
        with self._lock:
            self._erase()
            write()
            self._draw()

    def show(self, report: Report) -> None:
        """Show how it goes."""
        with self._lock:
            if self._live:
                self._erase()
                width = shutil.get_terminal_size().columns - 1
                self._table = [row[:width] for row in table(report)]
                self._draw()
            elif time.monotonic() >= self._next:
                self._next = time.monotonic() + LINE_EVERY
                self._say([line(report)])

    def end(self, report: Report) -> None:
        """Show what became of it, in place of the table."""
        with self._lock:
            self._erase()
            self._table = []
            self._say(summary(report))

    def print_above(self, text: str) -> None:
        """Write to the stream, above the table."""
        self.insert(lambda: self._stream.write(text))

    def _draw(self) -> None:
        if self._table:
            self._say(self._table)

    def _erase(self) -> None:
        if self._table:
            self._stream.write(f"\x1b[{len(self._table)}A\x1b[J")
            self._stream.flush()

    def _say(self, rows: list[str]) -> None:
        self._stream.write("\n".join(rows) + "\n")
        self._stream.flush()


class _Above(io.TextIOBase):
    """Passes whole lines on: the table cannot stand behind half of one."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._rest = ""

    def write(self, text: str) -> int:
        whole, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            self._screen.print_above(whole + newline)
        return len(text)

    def end(self) -> None:
        """Pass on what no line's end has come for."""
        if self._rest:
            self.write("\n")
