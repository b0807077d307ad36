"""One process of a comparison: plays a part told on stdin, answers on stdout, again and again.

A line in is a part with its arguments, as JSON; the answers are JSON lines, too. While the part is
played, ``go`` begins what is measured, ``cpu`` is answered with the seconds of processor time used,
and ``stop`` ends the part.
"""

from __future__ import annotations

import json
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from tests.bench import calls, mesh, plain, topics

PARTS: Final[dict[str, Callable[..., None]]] = {
    "mesh push": mesh.push,
    "mesh pull": mesh.pull,
    "mesh device": mesh.device,
    "mesh tap": mesh.tap,
    "mesh push async": mesh.push_async,
    "mesh pull async": mesh.pull_async,
    "plain push": plain.push,
    "plain pull": plain.pull,
    "plain push async": plain.push_async,
    "plain pull async": plain.pull_async,
    "mesh publish": topics.publish,
    "mesh subscribe": topics.subscribe,
    "plain publish": topics.publish_plainly,
    "plain subscribe": topics.subscribe_plainly,
    "mesh request": calls.request,
    "mesh reply": calls.reply,
    "mesh reply by handler": calls.reply_by_handler,
    "mesh request async": calls.request_async,
    "mesh reply async": calls.reply_async,
    "plain request": calls.request_plainly,
    "plain reply": calls.reply_plainly,
    "plain request async": calls.request_plainly_async,
    "plain reply async": calls.reply_plainly_async,
}


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
            arguments = json.loads(line)
            PARTS[arguments.pop("part")](self, **arguments)
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
                self._stop.set()
                self.on_stop()
            else:
                self._lines.put(line)
        self._lines.put("")


if __name__ == "__main__":
    logging.getLogger("meshmq").setLevel(logging.ERROR)
    Stage().play()
