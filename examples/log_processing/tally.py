"""Pulls counts from the queue "counts" into a sliding window; pushes alarms into the queue "alarms".

Usage: python tally.py SECONDS BOUND
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import meshmq
from examples.lifeline import lifeline
from examples.log_processing.alarm import Alarm
from examples.log_processing.window import Window


def main(seconds: float, bound: int) -> None:
    window, alarm = Window(seconds), Alarm(bound)
    node = meshmq.Node()
    node.topic("window", history=1)  # whoever asks since="last" is told at once how things are

    @node.pull("counts")
    def add(chunk: dict[str, Any]) -> None:
        window.add(chunk["id"], chunk["at"], chunk["service"], chunk["levels"])
        counts = window.counts()
        for service, raised in alarm.check(counts):
            # A job and no news: it waits for somebody who takes it.
            node.push("alarms", {"service": service, "raised": raised, "counts": rows(counts)})
        state = {"counts": rows(counts), "total": rows(window.total)}
        node.publish("window", {**state, "repeats": window.repeats, "late": window.late})

    with lifeline(node):
        node.run()


def rows(counts: Counter[tuple[str, str]]) -> list[tuple[str, str, int]]:
    """Return counts as service, level and number, sorted."""
    return [(*key, number) for key, number in sorted(counts.items())]


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
