"""A busy node forks in every way; its children find it closed to them, and it does not feel them.

Pushes numbers to ``jobs`` from a thread all the while, says what its children said, and ends when all is acked.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable

import meshmq


def tell(*words: object) -> None:
    """Write one line at once and whole."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Parent:
    """The node and everything that a child could call on it."""

    def __init__(self, node: meshmq.Node) -> None:
        self.node = node
        self.queue = node.queue("jobs")
        self.receiver = node.pull("other")
        self.loop = iter(self.receiver)
        self.pushed = 0
        self.ended = threading.Event()

    def push(self) -> None:
        while not self.ended.is_set():
            self.queue.push(self.pushed, timeout=20)
            self.pushed += 1

    def calls(self) -> dict[str, Callable[[], object]]:
        node = self.node
        return {
            "push": lambda: node.push("jobs", -1),
            "push to another queue": lambda: node.push("never", -1),
            "push_many": lambda: self.queue.push_many([-1, -1]),
            "pull": lambda: node.pull("more"),
            "receive": lambda: self.receiver.receive(0),
            "receive_many": lambda: self.receiver.receive_many(5, 0),
            "ready": lambda: self.receiver.ready(0),
            "len": lambda: len(self.receiver),
            "depth": lambda: self.queue.depth,
            "flush": lambda: node.flush(0),
            "wait_for": lambda: node.wait_for(pull="jobs", timeout=0),
            "settle": lambda: node.settle(0),
            "peers": node.peers,
            "stats": node.stats,
            "open": node.open,
            "events": lambda: list(node.events(0)),
            "next": lambda: next(self.loop),
        }

    def check_refused(self) -> None:
        """Say in a child which call was not refused."""
        for name, call in self.calls().items():
            try:
                call()
            except meshmq.ForkedError:
                continue
            except BaseException as error:
                tell("wrong", name, repr(error))
            else:
                tell("accepted", name)
        self.receiver.close()
        self.node.close()
        tell("refused", self.node.closed)


def make_another() -> None:
    """Push from a node made in the child."""
    with meshmq.Node("child") as node:
        node.push("jobs", f"from child {os.getpid()}")
    tell("child delivered")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=["os._exit", "exit", "exception", "fork", "spawn", "forkserver"])
    way = parser.parse_args().way
    with meshmq.Node("parent", settings=meshmq.Settings(outbox_jobs=200)) as node:
        parent = Parent(node)
        node.wait_for(pull="jobs", timeout=20)
        thread = threading.Thread(target=parent.push)
        thread.start()
        try:
            if way in ("fork", "spawn", "forkserver"):
                start_child(parent, way)
            else:
                fork_child(parent, way)
        finally:
            if os.getpid() == node_process:
                parent.ended.set()
                thread.join()
        node.flush(20)
        tell("pushed", parent.pushed)
        tell("dropped", sum(node.stats()["dropped"].values()))
    tell("closed")


def fork_child(parent: Parent, way: str) -> None:
    child = os.fork()
    if not child:
        parent.check_refused()
        make_another()
        if way == "os._exit":
            os._exit(0)
        if way == "exception":
            raise RuntimeError("told to")
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    tell("child ended", os.waitstatus_to_exitcode(status))


def start_child(parent: Parent, way: str) -> None:
    multiprocessing.set_start_method(way)
    if way == "fork":
        checked = multiprocessing.Process(target=parent.check_refused)
        checked.start()
        checked.join()
    child = multiprocessing.Process(target=make_another)
    child.start()
    child.join()
    tell("child ended", child.exitcode)


node_process = os.getpid()

if __name__ == "__main__":
    main()
