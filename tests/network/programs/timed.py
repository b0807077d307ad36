"""A worker that needs a given time for each job, and tells what it did when its input ends.

Its one line: how many jobs, the mean time each took, the time from opening the node to the first job.
"""

from __future__ import annotations

import sys
import threading
import time

import meshmq


def close_at_the_end(receiver: meshmq.Receiver[meshmq.Message]) -> None:
    sys.stdin.read()
    receiver.close()


def main() -> None:
    need = float(sys.argv[1])
    never = threading.Event()
    jobs, worked, first = 0, 0.0, 0.0
    opened = time.monotonic()
    with meshmq.Node() as node:
        receiver = node.pull("jobs")
        threading.Thread(target=close_at_the_end, args=(receiver,), daemon=True).start()
        for _ in receiver:
            begun = time.monotonic()
            first = first or begun - opened
            never.wait(need)
            worked += time.monotonic() - begun
            jobs += 1
    print(jobs, worked / max(jobs, 1), first)


if __name__ == "__main__":
    main()
