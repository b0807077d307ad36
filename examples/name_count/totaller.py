"""Pulls counts from the queue "counts" and adds them up, each file once.

A job is done at least once: a counter that was killed may have sent counts that its successor sends
again. Adding by path makes the second time harmless.

Usage: python totaller.py
"""

from __future__ import annotations

from collections import Counter

import meshmq
from examples.name_count.counting import Totals
from examples.name_count.lifeline import close_when_input_ends
from examples.name_count.telling import tell


def main() -> None:
    totals = Totals()
    shares: Counter[str] = Counter()
    repeats = 0
    with meshmq.Node() as node, node.pull("counts") as counts:
        close_when_input_ends(node)
        for message in counts:
            count = message.data
            if totals.add(count["path"], count["names"]):
                shares[count["by"]] += 1
                tell(done=len(totals.files), shares=shares)
            else:
                repeats += 1
    tell(totals=totals.as_words(), shares=shares, repeats=repeats)


if __name__ == "__main__":
    main()
