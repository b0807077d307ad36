"""A stage that makes two jobs of each, slowly enough to be killed between any two steps; told to end by SIGTERM."""

from __future__ import annotations

import sys
import threading

import meshmq


def main() -> None:
    seconds = float(sys.argv[1])
    node = meshmq.Node("stage")

    @node.pull("jobs", prefetch=20)
    def make(number: int, message: meshmq.Message) -> None:
        message.push("made", [number, "first"])
        threading.Event().wait(seconds)
        message.push("made", [number, "second"])

    node.run()


if __name__ == "__main__":
    main()
