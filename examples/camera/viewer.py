"""Looks at the newest picture for so many seconds, then at the one that is newest by then, until the last.

Usage: python viewer.py SECONDS
"""

from __future__ import annotations

import sys

import meshmq
from examples.camera.picture import BAR, WIDTH, find_bar
from examples.lifeline import lifeline


def main(seconds: float) -> None:
    node = meshmq.Node()
    # One place for each topic and no queue: what is newer takes it, and what had it is skipped.
    pictures = node.subscribe("camera.front", latest=True)
    with lifeline(node) as over:
        for message in pictures:
            age, number = message.age, message.data["number"]
            if find_bar(message.data["picture"]) != number % (WIDTH // BAR):
                raise ValueError(f"picture {number} shows another")
            last = number == message.data["of"]
            node.push("looks", {"by": node.name, "number": number, "age": age, "skipped": message.gap, "last": last})
            if last:
                break
            over.wait(seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]))
