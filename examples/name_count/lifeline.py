"""What ends a program of this job: the end of its input."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

import meshmq
from examples.name_count.telling import tell


def close_when_input_ends(node: meshmq.Node, *, stats: bool = False) -> None:
    """Close the node when stdin ends: we are told to, or whoever started us is gone.

    ``stats`` tells what the node has counted before that.
    """

    def watch() -> None:
        # Not sys.stdin: a thread that waits in it holds its lock when the interpreter exits.
        while os.read(sys.stdin.fileno(), 1024):
            pass
        try:
            if stats:
                tell(stats=node.stats())
        finally:
            with suppress(meshmq.Undelivered):
                node.close(timeout=0)

    threading.Thread(target=watch, name="end of input", daemon=True).start()
