"""A worker that needs a given time for each job, and tells what it did when no more come.

Its one line: how many jobs, the mean time each took, the time from opening the node to the first job.
"""

from __future__ import annotations

import sys
import threading
import time

import meshmq


def main() -> None:
    need, idle = float(sys.argv[1]), float(sys.argv[2])
    never = threading.Event()
    jobs, worked, first = 0, 0.0, 0.0
    opened = time.monotonic()
    with meshmq.Node() as node:
        for _ in node.pull("jobs", idle=idle):
            begun = time.monotonic()
            first = first or begun - opened
            never.wait(need)
            worked += time.monotonic() - begun
            jobs += 1
    print(jobs, worked / max(jobs, 1), first)


if __name__ == "__main__":
    main()
