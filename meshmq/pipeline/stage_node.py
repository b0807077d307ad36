"""The node of a stage's process: it counts what is done, and the time at work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from meshmq.faces.blocking import Node

_END: Final = object()


class StageNode(Node):
    """A node whose ``stats()`` have, of its ``stage``, how many values are ``done``, and the ``seconds`` at work.

    That is in its function: not waiting for values, and not waiting for room at the stages after it.
    """

    done = 0
    #: Seconds at work that are over, and since when it is at work again: one value, for other threads read it.
    _at_work: tuple[float, float | None] = (0.0, None)

    def stats(self) -> dict[str, Any]:
        """Return the node's counters, and those of its stage; see ``BaseNode.stats``."""
        over, since = self._at_work
        seconds = over if since is None else over + time.monotonic() - since
        return {**super().stats(), "stage": {"done": self.done, "seconds": seconds}}

    def timed(self, outputs: Iterator[object]) -> Iterator[object]:
        """Yield what an iterator yields, and count the time in there as work."""
        output: object = None
        while True:
            over, began = self._at_work[0], time.monotonic()
            self._at_work = over, began
            try:
                output = next(outputs, _END)
            finally:
                self._at_work = over + time.monotonic() - began, None
            if output is _END:
                return
            yield output
