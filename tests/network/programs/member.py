"""Nodes that tell, on the clock that all processes of a machine share, when they opened and whom they met.

Lines out: ``open NODE BEFORE AFTER ADDRESS ...``, ``event NODE KIND PEER MOMENT REASON``,
``job NODE MOMENT DATA``. Lines in: ``peers``, answered by ``peers NODE PEER ...`` of each node; ``cpu``,
answered by ``cpu SECONDS``; ``push DATA``. The end of the input ends the program.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import meshmq

#: What a module that cannot be imported is for the import system.
MISSING: Final[Any] = None


def tell(*words: object) -> None:
    """Write one line at once and whole, whichever thread it is."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def tell_events(node: meshmq.Node) -> None:
    for event in node.events():
        tell("event", node.name, event.kind, event.name or "-", time.monotonic(), event.reason)


def tell_jobs(node: meshmq.Node, queue: str) -> None:
    for message in node.pull(queue):
        tell("job", node.name, time.monotonic(), message.data)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+")
    parser.add_argument("--port", type=int)
    parser.add_argument("--peer")
    parser.add_argument("--insecure", action="store_true")
    parser.add_argument("--silence", type=float, default=4.0)
    parser.add_argument("--pull", metavar="QUEUE")
    parser.add_argument("--push", metavar="QUEUE")
    parser.add_argument("--apart", action="store_true", help="nodes do not find each other as those of one host do")
    parser.add_argument("--deaf", action="store_true", help="zeroconf cannot start")
    arguments = parser.parse_args()
    if arguments.deaf:
        sys.modules["zeroconf.asyncio"] = MISSING
    with ExitStack() as stack:
        nodes = [open_node(name, arguments, stack) for name in arguments.names]
        for line in sys.stdin:
            command, _, data = line.strip().partition(" ")
            if command == "cpu":
                tell("cpu", time.process_time())
            elif command == "push":
                nodes[0].push(arguments.push, data)
            else:
                for node in nodes:
                    tell("peers", node.name, *(peer.name for peer in node.peers()))


def open_node(name: str, arguments: argparse.Namespace, stack: ExitStack) -> meshmq.Node:
    if arguments.apart:
        os.environ["MESHMQ_RUNTIME_DIR"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="mq-", dir="/tmp"))
    node = meshmq.Node(
        name,
        port=arguments.port,
        peers=[arguments.peer] if arguments.peer else [],
        insecure=arguments.insecure,
        settings=meshmq.Settings(silence=arguments.silence, heartbeat=arguments.silence / 4),
    )
    before = time.monotonic()
    stack.enter_context(node)
    if arguments.apart:
        for unix_socket in Path(os.environ["MESHMQ_RUNTIME_DIR"]).rglob("*.[cd]"):
            unix_socket.unlink()  # or those who know its path from a card would dial it
    tell("open", node.name, before, time.monotonic(), *node.addresses)
    threading.Thread(target=tell_events, args=(node,), daemon=True).start()
    if arguments.pull:
        threading.Thread(target=tell_jobs, args=(node, arguments.pull), daemon=True).start()
    return node


if __name__ == "__main__":
    main()
