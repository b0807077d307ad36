"""What becomes of stdout when nobody reads it any more."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
from collections.abc import Callable

from meshmq.links.interrupts import start_apart


def no_more_output() -> None:
    """Let what stdout still holds go nowhere if its reader has gone, so that the exit is quiet."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def when_nobody_reads(tell: Callable[[], object]) -> None:
    """Have ``tell`` called, in a thread of its own, when the reader of stdout goes away.

    So a command that waits for jobs ends with ``| head``, and not at the next job. Where stdout is
    no pipe, or this system cannot tell, nothing is watched.
    """
    try:
        descriptor = sys.stdout.fileno()
        mode = os.fstat(descriptor).st_mode
    except (AttributeError, OSError, ValueError):  # closed before we began, or no file at all
        return
    if not hasattr(select, "poll") or not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return
    poll = select.poll()
    poll.register(descriptor, 0)  # asked for nothing, it reports errors and hang-ups alone

    def watch() -> None:
        if poll.poll():
            tell()

    start_apart(threading.Thread(target=watch, name="reader of stdout", daemon=True))
