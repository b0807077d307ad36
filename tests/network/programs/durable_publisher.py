"""A publisher with a journal: publishes ``LIFE.n`` to a durable topic, and tells each: ``said LIFE.n .``."""

from __future__ import annotations

import os
import sys
import threading

import meshmq

APART = 0.0005


def main() -> None:
    journal, life, history = sys.argv[1], sys.argv[2], int(sys.argv[3])
    pause = threading.Event()
    with meshmq.Node("shop", journal=journal) as node:
        prices = node.topic("prices.tea", history=history, durable=True)
        for number in range(1_000_000):
            prices.publish(f"{life}.{number}")
            os.write(1, f"said {life}.{number} .\n".encode())
            pause.wait(APART)


if __name__ == "__main__":
    main()
