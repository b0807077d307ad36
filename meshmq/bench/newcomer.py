"""A program that pushes one job and waits for its ack: run anew, for what a start takes with all its imports."""

from __future__ import annotations

import sys
import time

from meshmq.faces.blocking import Node  # the package with all that it imports comes with it


def main(insecure: bool) -> None:
    """Push one job; the environment says where."""
    with Node(insecure=insecure) as node:
        node.push("jobs", {"id": 12345, "name": "kitchen", "temp": 21.5, "ok": True})
        node.flush(60.0)
        sys.stdout.write(f"{time.perf_counter()}\n")


if __name__ == "__main__":
    main("--insecure" in sys.argv)
