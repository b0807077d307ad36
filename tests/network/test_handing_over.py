"""Sixteen threads wait at receivers of one node, one of them drives it, and none waits for what is here already."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT, ROOT, Child
from tests.scale import scale
from tests.stalls import Stalls

THREADS: Final = 16
SECONDS: Final = scale(2, 60)
PUSHER: Final = """
import json, sys, threading, time
from random import Random
import meshmq
from tests.stalls import Stalls

random, pause = Random(6), threading.Event()
with meshmq.Node() as node, Stalls() as stalls:
    for number in range(int(sys.argv[1])):
        node.wait_for(pull=f"jobs{number}", timeout=20)
    print("pushing", flush=True)
    ends = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < ends:
        node.push(f"jobs{random.randrange(int(sys.argv[1]))}", time.monotonic())
        pause.wait(random.choice((0, 0, 0.001, 0.01)))
    for number in range(int(sys.argv[1])):
        node.push(f"jobs{number}", None)
    print(json.dumps(stalls._naps), flush=True)
"""


@pytest.mark.timeout(200)
def test_sixteen_threads_on_a_receiver_each_and_none_waits_for_what_is_here() -> None:
    waits: list[tuple[float, float]] = []

    def pull(node: meshmq.Node, name: str) -> None:
        for message in node.pull(name, idle=LIMIT):
            woken = time.monotonic()
            if message.data is None:
                return
            waits.append((message.data, woken))

    with meshmq.Node() as node:
        threads = [threading.Thread(target=pull, args=(node, f"jobs{number}")) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        pusher = Child([sys.executable, "-c", PUSHER, str(THREADS), str(SECONDS)], cwd=ROOT)
        try:
            pusher.until("pushing")
            with Stalls() as stalls:
                for thread in threads:
                    thread.join(SECONDS + LIMIT)
            stalls._naps += json.loads(pusher.line())  # it may be held up after it has looked at the clock
        finally:
            pusher.close()
    assert not any(thread.is_alive() for thread in threads)
    assert len(waits) > 100 * SECONDS
    assert stalls.late(waits) == []
