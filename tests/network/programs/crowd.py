"""Some nodes of one kind in one process, all over TCP: ``push``, ``pull`` or ``device``.

Each tells ``open NAME DIRECT-PORT``. Pushers tell ``ready`` when they see everybody, push at the line ``go`` and tell
``flushed`` when all is confirmed. Pullers tell ``done JOB ATTEMPT VIA MOMENT``. It leaves when its input ends.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from typing import Any

MISSING: Any = None
sys.modules["zeroconf.asyncio"] = MISSING  # an address is given

import meshmq  # noqa: E402  as it is without zeroconf

NEVER = threading.Event()
GO = threading.Event()


def tell(*words: object) -> None:
    """Write one line at once; its full stop says that no kill has cut it."""
    os.write(1, (" ".join(map(str, words)) + " .\n").encode())


def see(node: meshmq.Node, arguments: argparse.Namespace) -> None:
    """Wait until all pullers and devices are here."""
    node.wait_for(pull="jobs", count=arguments.pullers, timeout=60)
    for _ in node.events(60):
        if sum(bool(peer.forwards) for peer in node.peers()) >= arguments.devices:
            return


def push(node: meshmq.Node, arguments: argparse.Namespace) -> None:
    see(node, arguments)
    tell("ready", node.name)
    GO.wait()
    for number in range(arguments.jobs):
        node.push("jobs", f"{node.name}/{number}")
    node.flush(120)
    tell("flushed", node.name)


def pull(node: meshmq.Node, arguments: argparse.Namespace) -> None:
    for message in node.pull("jobs"):
        NEVER.wait(arguments.seconds)
        tell("done", message.data, message.attempt, message.via or "-", time.monotonic())


def device(node: meshmq.Node, arguments: argparse.Namespace) -> None:
    node.device(queues=["jobs"])


ROLES = {"push": push, "pull": pull, "device": device}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--name", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--port", type=int, help="of the first of them")
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0, help="of work for each job")
    parser.add_argument("--pullers", type=int, default=0, help="that a pusher waits for")
    parser.add_argument("--devices", type=int, default=0, help="that a pusher waits for")
    arguments = parser.parse_args()
    nodes = [
        meshmq.Node(f"{arguments.name}-{number}", insecure=True, peers=arguments.peer, port=None if number else port)
        for number, port in ((number, arguments.port) for number in range(arguments.count))
    ]
    for node in nodes:
        node.open()
        (address,) = [a for a in node._participant.presence.card.direct if a.startswith("tcp")]  # type: ignore[union-attr]  # it is open
        tell("open", node.name, address.rpartition(":")[2])
    threads = [threading.Thread(target=ROLES[arguments.role], args=(node, arguments), daemon=True) for node in nodes]
    for thread in threads:
        thread.start()
    for line in sys.stdin:
        if line.strip() == "go":
            GO.set()
    for node in nodes:
        node.close(5)


if __name__ == "__main__":
    main()
