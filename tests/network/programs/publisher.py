"""A publisher that does what its input says, line by line, and leaves when that ends.

``publish TOPIC COUNT RATE SIZE`` publishes 1 to COUNT (with SIZE > 0: as many bytes), RATE a second or, with 0, as
fast as it goes; ``say TOPIC TEXT`` one text; ``each COUNT`` one message to each of so many topics ``t.0``, ``t.1``...;
``wait TOPIC COUNT`` waits for so many subscribers. It answers ``done``, and what it measured, in JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time

import meshmq
from tests.memory import resident


def tell(line: str) -> None:
    """Write one line at once."""
    os.write(1, f"{line}\n".encode())


def publish(node: meshmq.Node, topic: str, count: int, rate: float, size: int) -> dict[str, float]:
    """Publish 1 to ``count``; returns the longest that one took, and by how much the memory grew at most."""
    before = most = resident()
    slowest, begun, pause = 0.0, time.monotonic(), threading.Event()
    data = bytes(size)
    for number in range(1, count + 1):
        if rate and number % 20 == 0:
            pause.wait(max(0.0, begun + number / rate - time.monotonic()))
        started = time.monotonic()
        node.publish(topic, data if size else number)
        slowest = max(slowest, time.monotonic() - started)
        if size > 100_000:
            most = max(most, resident())
    return {"slowest": slowest, "grown": most - before, "seconds": time.monotonic() - begun}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="publisher")
    parser.add_argument("--history", type=int)
    parser.add_argument("--insecure", action="store_true")
    parser.add_argument("--first", type=int, default=0, help="publish 1 to so many to 'first' straight after start")
    arguments = parser.parse_args()
    with meshmq.Node(arguments.name, insecure=arguments.insecure) as node:
        if arguments.history:
            node.topic("**", history=arguments.history)
        if arguments.first:
            begun = time.monotonic()
            for number in range(1, arguments.first + 1):
                node.publish("first", number)
            tell(f"published {begun} {time.monotonic()}")
        for line in sys.stdin:
            word, *rest = line.split()
            answer: dict[str, float] = {}
            if word == "publish":
                answer = publish(node, rest[0], int(rest[1]), float(rest[2]), int(rest[3]))
            elif word == "say":
                node.publish(rest[0], rest[1])
            elif word == "each":
                for number in range(int(rest[0])):
                    node.publish(f"t.{number}", number)
            elif word == "wait":
                node.wait_for(subscribe=rest[0], count=int(rest[1]), timeout=60)
            tell(f"done {json.dumps(answer)}")


if __name__ == "__main__":
    main()
