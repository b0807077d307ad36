"""The side that stays: pushes, subscribes and asks without a pause, and tells at the end what became of all of it.

Lines in: ``since MOMENT`` is answered, as each comes about, by ``again jobs MOMENT``, ``again topics MOMENT`` and
``again requests MOMENT``: the first job confirmed, message received and answer to a request made since that moment.
``end SENDER TOTAL`` waits until TOTAL messages of that sender were received or told as missed, then for all jobs, and
is answered by one line of JSON. All moments are on the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
import time
from typing import Any, Final

import meshmq
from tests.network.detour import DetouredNode

JOBS_APART: Final = 0.01
ASKERS: Final = 4
ASKED_APART: Final = 0.1
REQUEST: Final = 1.0
LIMIT: Final = 60.0
LOOK: Final = 0.02


def tell(line: str) -> None:
    """Write one line at once and whole, whichever thread it is."""
    os.write(1, f"{line}\n".encode())


class Near:
    """The three loads of one node, and what became of them."""

    def __init__(self, node: meshmq.Node, *, durable: bool) -> None:
        self._node, self._durable = node, durable
        self._over = threading.Event()
        self._since: float | None = None
        self._told: set[str] = set()
        self.subscription = node.subscribe("load", capacity=100_000)
        self.pushed: list[float] = []
        self.received: list[tuple[float, str, int, int]] = []
        self.requests: list[dict[str, Any]] = []
        self.events: list[tuple[float, str, str]] = []
        self._numbers = iter(range(1_000_000))
        self._lock = threading.Lock()
        works = [self._push, self._watch, self._hear, *[self._ask] * ASKERS]
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in (*self._threads, threading.Thread(target=self._see, daemon=True)):
            thread.start()

    def since(self, moment: float) -> None:
        """Tell what comes first after ``moment``."""
        self._told.clear()
        self._since = moment

    def end(self, sender: str, total: int) -> dict[str, Any]:
        """Wait until everything is accounted for; returns the account."""
        limit = time.monotonic() + LIMIT
        total += sum(1 + gap for _, other, _, gap in self.received if other != sender)
        while len(self.received) + self.subscription.missed < total and time.monotonic() < limit:
            self._over.wait(LOOK)
        self._over.set()
        missed = self.subscription.missed
        self.subscription.close()
        for thread in self._threads:
            thread.join(LIMIT)
        queue = self._node.queue("jobs")
        queue.flush(LIMIT)
        return {
            "pushed": self.pushed,
            "left": queue.depth,
            "received": self.received,
            "missed": missed,
            "requests": self.requests,
            "events": self.events,
        }

    def _push(self) -> None:
        while not self._over.wait(JOBS_APART):
            number = len(self.pushed)
            try:
                self._node.push("jobs", number, timeout=LIMIT, durable=self._durable)
            except meshmq.JournalError:  # it was not pushed
                self.events.append((time.monotonic(), "full", "disk"))
                continue
            self.pushed.append(time.monotonic())

    def _watch(self) -> None:
        acked, looked = 0, 0.0
        while not self._over.wait(LOOK):
            queue = self._node.stats()["queues"].get("jobs")
            before, acked = acked, queue["push"]["acked"] if queue else 0
            since, looked = looked, time.monotonic()
            if acked > before:
                self._came("jobs", looked, since)

    def _hear(self) -> None:
        for message in self.subscription:
            now = time.monotonic()
            self.received.append((now, message.sender, message.seq, message.gap))
            self._came("topics", now)

    def _ask(self) -> None:
        while not self._over.wait(ASKED_APART):
            with self._lock:
                number = next(self._numbers)
            begun, error, may_have_run = time.monotonic(), "", True
            try:
                assert self._node.request("echo", number, timeout=REQUEST) == number
            except meshmq.MeshError as failed:
                error, may_have_run = type(failed).__name__, getattr(failed, "may_have_run", True)
            now = time.monotonic()
            self.requests.append(
                {"number": number, "begun": begun, "ended": now, "error": error, "may_have_run": may_have_run}
            )
            if not error:
                self._came("requests", now, begun)

    def _see(self) -> None:
        for event in self._node.events():
            self.events.append((time.monotonic(), event.kind, event.name))

    def _came(self, what: str, now: float, begun: float | None = None) -> None:
        since = self._since
        if since is not None and (now if begun is None else begun) > since and what not in self._told:
            self._told.add(what)
            tell(f"again {what} {now}")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(message)s")  # read where a test fails
    parser = argparse.ArgumentParser()
    parser.add_argument("--silence", type=float, required=True)
    parser.add_argument("--peer", help="the address of the other side's control link")
    parser.add_argument("--detoured", action="store_true", help="everything but the control link goes through proxies")
    parser.add_argument("--journal", help="push durable jobs, and keep them there")
    arguments = parser.parse_args()
    settings = meshmq.Settings(silence=arguments.silence, heartbeat=arguments.silence / 4)
    node: meshmq.Node
    if arguments.detoured:
        node = DetouredNode("near", peers=[arguments.peer], topics=True, settings=settings)
    else:
        node = meshmq.Node("near", insecure=True, journal=arguments.journal, settings=settings)
    with node:
        node.wait_for(pull="jobs", timeout=LIMIT)
        node.wait_for(reply="echo", timeout=LIMIT)
        near = Near(node, durable=arguments.journal is not None)
        near.subscription.ready(LIMIT)
        tell("ready")
        for line in sys.stdin:
            word, _, rest = line.strip().partition(" ")
            if word == "since":
                near.since(float(rest))
            elif word == "slow" and isinstance(node, DetouredNode):
                rate, delay = map(float, rest.split())
                for proxy in node.proxies.values():
                    proxy.slow(rate or None, delay)
            elif word == "end":
                tell(json.dumps(near.end(rest.split()[0], int(rest.split()[1]))))
                return


if __name__ == "__main__":
    main()
