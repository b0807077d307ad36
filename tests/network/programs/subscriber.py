"""A subscriber that tells of each of its subscriptions what it got.

Its argument is a list of subscriptions, in JSON: ``patterns``, the options of ``subscribe``, and ``read`` (default:
true; whether its application asks for anything). It says ``subscribed MOMENT`` (monotonic) and ``ready``, and of
each subscription, once it is over, one line of JSON. A subscription is over when it brings ``"end"``, or when
what it got and missed is as much as a line of our input (``total N``) says.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

import meshmq


def tell(line: str) -> None:
    """Write one line at once."""
    os.write(1, f"{line}\n".encode())


class Reader:
    """Reads one subscription to its end."""

    def __init__(self, node: meshmq.Node, index: int, spec: dict[str, Any], total: dict[str, int]) -> None:
        self.read = spec.pop("read", True)
        self.subscription = node.subscribe(*spec.pop("patterns"), **spec)
        self.index, self._total = index, total
        self.received = self.gaps = self.wrong = 0
        self.oldest = 0.0
        self.raised = ""
        #: Of each sender and topic: the first and last number.
        self.spans: dict[str, tuple[int, int]] = {}
        self.data: list[object] = []

    def run(self) -> None:
        try:
            while not self._over() and self._take():
                pass
        except meshmq.Overflowed as error:
            self.raised = str(error.missed)
            while not self._over():
                threading.Event().wait(0.02)
        self.tell()

    def _over(self) -> bool:
        return "total" in self._total and self.received + self.subscription.missed >= self._total["total"]

    def _take(self) -> bool:
        """Take what is here; whether that was not the end."""
        try:
            messages = self.subscription.receive_many(1_000, 0.05)
        except meshmq.TimedOut:
            return True
        self.oldest = max(self.oldest, max(message.age for message in messages))
        for message in messages:
            self.received += 1
            self.gaps += message.gap
            key = f"{message.sender}/{message.topic}"
            first, last = self.spans.get(key, (message.seq - message.gap, message.seq - message.gap - 1))
            if message.seq != last + 1 + message.gap:
                self.wrong += 1
            self.spans[key] = (first, message.seq)
            if len(self.data) < 200:
                self.data.append(message.data if isinstance(message.data, int | str) else None)
        return bool(messages[-1].data != "end")

    def tell(self) -> None:
        row = {
            "subscription": self.index,
            "received": self.received,
            "missed": self.subscription.missed,
            "gaps": self.gaps,
            "wrong": self.wrong,
            "oldest": self.oldest,
            "raised": self.raised,
            "spans": self.spans,
            "data": self.data,
        }
        tell(json.dumps(row))


def main() -> None:
    specs = json.loads(sys.argv[1])
    total: dict[str, int] = {}
    with meshmq.Node(insecure="--insecure" in sys.argv) as node:
        readers = [Reader(node, index, spec, total) for index, spec in enumerate(specs)]
        node.open()
        tell(f"subscribed {time.monotonic()}")
        for reader in readers:
            if reader.read:
                reader.subscription.ready(10)
        tell("ready")
        threads = [threading.Thread(target=reader.run) for reader in readers if reader.read]
        for thread in threads:
            thread.start()
        for line in sys.stdin:
            if line.startswith("total"):
                total["total"] = int(line.split()[1])
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
