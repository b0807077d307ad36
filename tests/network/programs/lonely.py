"""A node that pushes durable jobs to itself and does them in threads; one kills the process (``exit``, ``kill``).

With ``push`` it pushes ten jobs, and the poison in their midst. Each job that is done is told as ``done DATA``; once
nothing is left it says ``dead N``, the number of its dead letters, and ``finished``.
"""

from __future__ import annotations

import os
import signal
import sys

import meshmq


def main() -> None:
    journal, push, deadly = sys.argv[1], sys.argv[2] == "push", sys.argv[3]
    with meshmq.Node("lonely", journal=journal) as node:
        jobs = node.queue("jobs", durable=True, max_attempts=2)

        if push:
            jobs.push_many([f"before {number}" for number in range(5)])
            jobs.push("poison")
            jobs.push_many([f"after {number}" for number in range(5)])

        @node.pull("jobs", concurrency=3)
        def work(data: str) -> None:
            if data == "poison":
                if deadly == "exit":
                    os._exit(3)
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(1, f"done {data}\n".encode())

        node.flush()
        os.write(1, f"dead {len(jobs.dead)}\nfinished\n".encode())


if __name__ == "__main__":
    main()
