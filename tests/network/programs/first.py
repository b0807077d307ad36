"""One side of a first meeting: ``push`` pushes one job and leaves, ``pull`` tells the first that comes and leaves."""

from __future__ import annotations

import sys
import threading

import meshmq


def main() -> None:
    side, delay = sys.argv[1], float(sys.argv[2])
    threading.Event().wait(delay)
    with meshmq.Node(side) as node:
        if side == "push":
            node.push("jobs", "hello")
        else:
            with node.pull("jobs") as receiver:
                message = receiver.receive()
                print(message.data, message.attempt)


if __name__ == "__main__":
    main()
