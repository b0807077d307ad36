"""What queued messages take in memory: run by ``scale.py``, a process for each kind, which prints bytes a message."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import meshmq

COUNT: Final = 100_000
JOB: Final = {"id": 12345, "name": "kitchen", "temp": 21.5, "ok": True}
LIMIT: Final = 30.0
PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def held() -> int:
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def unsent() -> float:
    """Push what nobody pulls."""
    with meshmq.Node() as node:
        node.push("warm", 1)
        before = held()
        node.queue("jobs").push_many(JOB for _ in range(COUNT))
        grown = held() - before
        with suppress(meshmq.Undelivered):
            node.close(0)
        return grown / COUNT


def untaken() -> float:
    """Hear what nobody takes."""
    with meshmq.Node(settings=meshmq.Settings(subscriber_messages=COUNT + 1)) as node:
        heard = node.subscribe("jobs")
        node.publish("jobs", JOB)
        heard.ready(5.0)
        before = held()
        for _ in range(COUNT - 1):
            node.publish("jobs", JOB)
        deadline = time.monotonic() + LIMIT
        while len(heard) < COUNT and time.monotonic() < deadline:
            node.stats()
        assert len(heard) == COUNT
        return (held() - before) / COUNT


if __name__ == "__main__":
    sys.stdout.write(f"{(unsent if sys.argv[1] == 'unsent' else untaken)()}\n")
