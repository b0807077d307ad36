"""The side that the faults strike: works, publishes and answers, and tells each step before any kill can hide it.

Lines out: ``job NUMBER ATTEMPT`` before a job is done, ``done NUMBER`` after; ``asked NUMBER`` of each request
that runs; ``said NUMBER`` of each message published; each ends with a full stop, which says that no kill has cut it.
Lines in, each answered by its first word: ``begin`` and ``quiet`` begin and end the publishing; ``jump SECONDS`` moves
the wall clock of this process alone, that far from the machine's; ``fill`` takes every descriptor there is, ``free``
gives them back. The end of the input ends the program.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import resource
import sys
import threading
import time
from typing import Final

import meshmq

REAL, REAL_NS = time.time, time.time_ns
APART: Final = 0.002
WORK: Final = 0.006
#: Enough for a node with a few peers; the program's own limit, not the machine's.
DESCRIPTORS: Final = 200


def jump(seconds: float) -> None:
    """Move the wall clock of this process."""
    time.time = lambda: REAL() + seconds
    time.time_ns = lambda: REAL_NS() + int(seconds * 1e9)


def tell(*words: object) -> None:
    """Write one line at once and whole, whichever thread it is."""
    os.write(1, (" ".join(map(str, words)) + " .\n").encode())


def work(node: meshmq.Node) -> None:
    pause = threading.Event()
    for message in node.pull("jobs"):
        tell("job", message.data, message.attempt)
        pause.wait(WORK)
        tell("done", message.data)


def publish(node: meshmq.Node, over: threading.Event) -> None:
    number = 0
    while not over.wait(APART):
        node.publish("load", number + 1)
        number += 1
        tell("said", number)


def take_all(taken: list[int]) -> None:
    """Open files until there is no room for one more."""
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(message)s")  # read where a test fails
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--silence", type=float, required=True)
    parser.add_argument("--port", type=int)
    parser.add_argument("--few", action="store_true", help="have few descriptors")
    arguments = parser.parse_args()
    if arguments.few:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    settings = meshmq.Settings(silence=arguments.silence, heartbeat=arguments.silence / 4)
    over, taken = threading.Event(), list[int]()
    node = meshmq.Node(arguments.name, insecure=True, port=arguments.port, settings=settings)

    @node.reply("echo")
    def echo(number: int) -> int:
        tell("asked", number)
        return number

    with node:
        publisher = threading.Thread(target=publish, args=(node, over), daemon=True)
        threading.Thread(target=work, args=(node,), daemon=True).start()
        tell("open", *node.addresses)
        for line in sys.stdin:
            word, _, rest = line.strip().partition(" ")
            if word == "begin":
                publisher.start()
            elif word == "quiet":
                over.set()
                publisher.join()
            elif word == "jump":
                jump(float(rest))
            elif word == "fill":
                take_all(taken)
            elif word == "free":
                while taken:
                    os.close(taken.pop())
            tell(word)
        over.set()


if __name__ == "__main__":
    main()
