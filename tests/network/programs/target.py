"""Hands on jobs of ``in`` to ``out`` while Ctrl-C strikes again and again; says ``caught`` for each and goes on."""

from __future__ import annotations

import os

import meshmq

#: An interrupt that strikes between two attempts on one level is caught on the level above.
LEVELS = 5


class Target:
    def __init__(self, node: meshmq.Node) -> None:
        self.node, self.jobs = node, node.pull("in")
        self.open = self.done = False

    def work(self) -> None:
        if not self.open:
            self.open = True
            os.write(1, b"open\n")
        for message in self.jobs:
            if message.data is None:
                self.done = True
                message.ack()
                break
            self.node.push("out", message.data)

    def go_on(self, level: int = LEVELS) -> None:
        while not self.done:
            try:
                if level:
                    self.go_on(level - 1)
                else:
                    self.work()
            except KeyboardInterrupt:
                os.write(1, b"caught\n")


def main() -> None:
    with meshmq.Node("target") as node:
        Target(node).go_on()
        os.write(1, b"leaving\n")


if __name__ == "__main__":
    main()
