"""A pusher with a journal: pushes durable jobs ``FIRST.n`` from several threads, and tells each push that returned.

Each line is ``pushed DATA .``; with ``--finish`` it pushes nothing, waits until all that the journal holds is done, and
says ``finished``.
"""

from __future__ import annotations

import argparse
import os
import threading

import meshmq

THREADS = 3


def tell(words: str) -> None:
    """Write one line at once; its full stop says that no kill has cut it."""
    os.write(1, f"{words} .\n".encode())


def push(node: meshmq.Node, queue: str, prefix: str) -> None:
    number = 0
    while True:
        data = f"{prefix}.{number}"
        node.push(queue, data, durable=True)
        tell(f"pushed {data}")
        number += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("queue")
    parser.add_argument("journal")
    parser.add_argument("first")
    parser.add_argument("--sync", default="full")
    parser.add_argument("--finish", action="store_true")
    arguments = parser.parse_args()
    settings = meshmq.Settings(journal_sync=arguments.sync)
    with meshmq.Node("shop", journal=arguments.journal, settings=settings) as node:
        if arguments.finish:
            node.open()
            node.flush()
            tell("finished")
            return
        for thread in range(THREADS):
            name = f"{arguments.first}.{thread}"
            threading.Thread(target=push, args=(node, arguments.queue, name), daemon=True).start()
        threading.Event().wait()


if __name__ == "__main__":
    main()
