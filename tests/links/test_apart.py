"""No signal strikes a thread of ours: it would only be noted, while the main thread sleeps on."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from meshmq.links.interrupts import start_apart
from tests.network.conftest import Spawn, spawn, start

__all__ = ["spawn", "start"]

NODE = """
import os, pathlib, sys
import meshmq

with meshmq.Node(mesh=sys.argv[1], insecure=True, peers=["localhost:9"], settings=meshmq.Settings(settle=0.1)) as node:
    node.settle()
    for task in pathlib.Path("/proc/self/task").iterdir():
        try:
            words = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        except OSError:  # a thread that has ended meanwhile
            continue
        print(int(task.name) == os.getpid(), int(words["SigBlk"], 16), words["Name"].strip())
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to look at threads")
def test_signals_strike_the_main_thread_alone(spawn: Spawn, mesh_name: str) -> None:
    told = [line.split(" ", 2) for line in spawn(NODE, mesh_name).rest()]
    struck = {
        name: [number for number in (2, 10, 15) if not int(mask) >> (number - 1) & 1] for _, mask, name in told[1:]
    }
    assert [main for main, *_ in told] == ["True"] + ["False"] * (len(told) - 1)
    assert len(told) > 3  # ZeroMQ's own two, the keeper, zeroconf's loop
    assert not any(struck.values()), struck
    assert int(told[0][1]) == 0


def test_who_starts_a_thread_apart_is_struck_as_before() -> None:
    if not hasattr(signal, "pthread_sigmask"):
        pytest.skip("no signal masks here")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    seen: list[set[int]] = []
    thread = threading.Thread(target=lambda: seen.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))))
    start_apart(thread)
    thread.join()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGALRM} <= seen[0]
    assert signal.SIGSEGV not in seen[0]
