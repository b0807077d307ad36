"""Measures this machine again and again and publishes the figures to "figures.NAME".

Usage: python -m examples.monitoring.agent [--every SECONDS] [--process PID]
"""

from __future__ import annotations

import argparse
import os
import platform
import signal

import meshmq
from examples.lifeline import lifeline
from examples.monitoring.figures import measure


def main(every: float, process: int | None) -> None:
    node = meshmq.Node(os.environ.get("MESHMQ_NAME") or platform.node())
    node.topic("figures.**", history=1)  # the last ones, for a viewer who comes later
    with lifeline(node) as over:
        signal.signal(signal.SIGTERM, lambda *_: over.set())  # so that we say goodbye: who does has not died
        while True:
            node.publish(f"figures.{node.name}", {"every": every, "figures": measure(process)})
            if over.wait(every):
                break


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure this machine.")
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="how often (1)")
    parser.add_argument("--process", type=int, metavar="PID", help="a process whose memory counts, too")
    main(**vars(parser.parse_args()))
