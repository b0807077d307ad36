"""What ends a program of an example: the end of its input, where that is a pipe."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import meshmq


@contextmanager
def lifeline(node: meshmq.Node) -> Iterator[threading.Event]:
    """Open the node, and close it when stdin ends: we are told to, or whoever started us is gone, however he went.

    What the node then does raises ``ClosedError``, which ends the ``with`` quietly. Who waits for nothing of the node
    waits for the event that is given.
    """
    ended = threading.Event()

    def watch() -> None:
        # Not sys.stdin: a thread that waits in it holds its lock when the interpreter exits.
        while os.read(sys.stdin.fileno(), 1024):
            pass
        ended.set()
        with suppress(meshmq.Undelivered):
            node.close(timeout=0)

    try:
        with suppress(meshmq.ClosedError, KeyboardInterrupt), node:
            if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):  # nobody stands behind a terminal or /dev/null
                threading.Thread(target=watch, name="end of input", daemon=True).start()
            yield ended
    except meshmq.Undelivered:
        if not ended.is_set():  # else whoever was to take it is gone
            raise
