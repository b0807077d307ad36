"""One process of a run: plays a part told on stdin, answers on stdout, again and again.

A line in is a part (``module:function``) with its arguments, as JSON; the answers are JSON lines, too. While the part
is played, ``go`` begins what is measured, ``cpu`` is answered with the seconds of processor time used, and ``stop``
ends the part; so does the end of the input, with the process.
"""

from __future__ import annotations

import json
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from meshmq.bench.work import Place, Work


class Stage:
    """Where a part is played: what it is told, and what it tells."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._go = threading.Event()
        self._stop = threading.Event()
        self.on_stop: Callable[[], object] = self._stop.set
        threading.Thread(target=self._read, daemon=True).start()

    def tell(self, **words: Any) -> None:
        """Say one thing."""
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()

    def wait_for_go(self, timeout: float | None = None) -> bool:
        """Wait until what is measured is to begin; whether it is, where that has a limit."""
        return self._go.wait(timeout)

    @property
    def stopped(self) -> bool:
        """Whether the part is to end."""
        return self._stop.is_set()

    def wait_for_stop(self) -> None:
        """Wait until the part is to end."""
        self._stop.wait()

    def play(self) -> None:
        """Play part after part until the input ends."""
        while line := self._lines.get():
            self._go.clear()
            self._stop.clear()
            told = json.loads(line)
            module, _, name = told["part"].partition(":")
            part = getattr(import_module(module), name)
            part(self, Work(**told["work"]), Place(**told["place"]), told["number"], told["addresses"])
            self.on_stop = self._stop.set
            self.tell(over=True)

    def _read(self) -> None:
        for line in sys.stdin:
            word = line.strip()
            if word == "go":
                self._go.set()
            elif word == "cpu":
                self.tell(cpu=time.process_time())
            elif word == "stop":
                self._end()
            else:
                self._lines.put(line)
        self._lines.put("")
        self._end()
        self._go.set()

    def _end(self) -> None:
        self._stop.set()
        self.on_stop()


if __name__ == "__main__":
    logging.getLogger("meshmq").setLevel(logging.ERROR)
    Stage().play()
