"""Pulls lines from the queue "lines", counts them by level, and pushes the counts into the queue "counts".

Usage: python counter.py
"""

from __future__ import annotations

import meshmq
from examples.lifeline import lifeline
from examples.log_processing.levels import count_levels


def main() -> None:
    node = meshmq.Node()
    lines = node.pull("lines")
    with lifeline(node):
        for message in lines:
            chunk = message.data
            counts = {"service": chunk["service"], "at": chunk["at"], "levels": count_levels(chunk["lines"])}
            # Its id is the same whoever gets these lines, and however often: so the tally adds them once.
            node.push("counts", {"id": message.id, **counts})
            # Asking for the next lines confirms these. Their counts are still in *our* memory and would die with us:
            # so first wait until the tally has confirmed them.
            node.flush()


if __name__ == "__main__":
    main()
