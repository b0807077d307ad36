"""What queued messages take in memory: run by ``scale.py``, a process for each kind, which prints bytes a message."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Final

import meshmq
from tests.memory import resident

COUNT: Final = 100_000
JOB: Final = {"id": 12345, "name": "kitchen", "temp": 21.5, "ok": True}
LIMIT: Final = 30.0


def unsent() -> float:
    """Push what nobody pulls."""
    with meshmq.Node() as node:
        node.push("warm", 1)
        before = resident()
        node.queue("jobs").push_many(JOB for _ in range(COUNT))
        grown = resident() - before
        with suppress(meshmq.Undelivered):
            node.close(0)
        return grown / COUNT


def untaken() -> float:
    """Hear what nobody takes."""
    with meshmq.Node(settings=meshmq.Settings(subscriber_messages=COUNT + 1)) as node:
        heard = node.subscribe("jobs")
        node.publish("jobs", JOB)
        heard.ready(5.0)
        before = resident()
        for _ in range(COUNT - 1):
            node.publish("jobs", JOB)
        deadline = time.monotonic() + LIMIT
        while len(heard) < COUNT and time.monotonic() < deadline:
            node.stats()
        assert len(heard) == COUNT
        return (resident() - before) / COUNT


if __name__ == "__main__":
    sys.stdout.write(f"{(unsent if sys.argv[1] == 'unsent' else untaken)()}\n")
