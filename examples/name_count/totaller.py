"""Pulls counts from the queue "counts" and adds them up, each file once; tells its progress, and the totals.

A job is done at least once: a counter that was killed may have sent counts that its successor sends
again. Adding by path makes the second time harmless.

Usage: python totaller.py
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import meshmq
from examples.name_count.counting import Totals
from examples.name_count.lifeline import close_when_input_ends


def main() -> None:
    totals = Totals()
    shares: Counter[str] = Counter()
    repeats = 0
    adding = threading.Lock()  # handlers of different names run at once
    node = meshmq.Node()
    node.topic("progress.**", history=1)  # whoever asks since="last" is told at once how far it is

    @node.pull("counts")
    def add(count: dict[str, Any]) -> None:
        nonlocal repeats
        with adding:
            if not totals.add(count["path"], count["names"]):
                repeats += 1
                return
            shares[count["by"]] += 1
        # To whoever listens; nobody need.
        node.publish(f"progress.{count['by']}", {"done": len(totals.files), "share": shares[count["by"]]})

    @node.reply("totals")
    def tell_totals(_: object) -> dict[str, Any]:
        with adding:
            return {"totals": totals.as_words(), "shares": dict(shares), "repeats": repeats}

    with node:
        close_when_input_ends(node)
        node.run()


if __name__ == "__main__":
    main()
