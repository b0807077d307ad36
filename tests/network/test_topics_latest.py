"""Over a slow line the latest is never old, and what is small does not wait for what is large."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.network.detour import DetouredNode
from tests.scale import scale
from tests.stalls import Stalls

RATE: Final = 4_000_000.0
SIZE: Final = 1_000_000
TRANSFER: Final = SIZE / RATE
FRAMES: Final = 30
SECONDS: Final = scale(3, 15)
JOB_WITHIN: Final = 1.0

WATCHER: Final = """
import os, sys, threading, time, meshmq

def tell(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())

with meshmq.Node("watcher", insecure=True) as node:
    latest = node.subscribe("picture", latest=True)

    def work():
        for message in node.pull("jobs"):
            tell("job", message.data)

    threading.Thread(target=work, daemon=True).start()
    latest.ready(10)
    tell("ready")
    for message in latest:
        # All processes of one machine share this clock.
        at = float(message.headers["at"])
        tell("shown", message.seq, at, time.monotonic() - at, message.age, message.gap)
        if message.seq >= int(sys.argv[1]):
            break
    tell("missed", latest.missed)
    sys.stdin.read()  # jobs may be on their way
"""


def test_latest_over_a_slow_line_is_young_and_a_small_job_passes_it(spawn: Spawn, mesh_name: str) -> None:
    count = FRAMES * SECONDS
    watcher = spawn(WATCHER, count, env={"MESHMQ_MESH": mesh_name})
    pause, over = threading.Event(), threading.Event()

    def push_each_second() -> list[float]:
        late: list[float] = []
        while not over.wait(1.0):
            pushed = time.monotonic()
            node.push("jobs", len(late))
            node.flush(LIMIT)
            late.append(time.monotonic() - pushed)
        return late

    with Stalls() as stalls, ThreadPoolExecutor(1) as pool, DetouredNode("camera", mesh=mesh_name, rate=RATE) as node:
        node.wait_for(pull="jobs", timeout=LIMIT)
        node.wait_for(subscribe="picture", timeout=LIMIT)
        watcher.until("ready")
        picture = bytes(SIZE)
        pushing = pool.submit(push_each_second)
        begun = time.monotonic()
        for number in range(1, count + 3 * FRAMES):  # when it ends the watcher has seen enough
            pause.wait(max(0.0, begun + number / FRAMES - time.monotonic()))
            node.publish("picture", picture, headers={"at": str(time.monotonic())})
        over.set()
        late = pushing.result(LIMIT)
        lines = watcher.until("missed", LIMIT)
        watcher.end_input()
        assert watcher.wait() == 0, watcher.stderr
    shown = [line.split()[1:] for line in lines if line.startswith("shown")]
    ages = [float(age) for _, _, age, *_ in shown]
    untold = [float(age) - float(told) for _, _, age, told, _ in shown]
    # The node, the proxy and the camera are in this process.
    held_up = [stalls.within(float(at), float(at) + float(age)) for _, at, age, *_ in shown]
    seqs = [int(seq) for seq, *_ in shown]
    missed = int(lines[-1].split()[1])
    print(
        f"{len(shown)} of {count} shown, age {statistics.median(ages):.3f} s, at most {max(ages):.3f}; "
        f"job done within {max(late):.3f} s; held up by this machine for at most {max(held_up):.3f}; "
        f"told ages are short by {statistics.median(untold):.3f}, at most {max(untold):.3f}"
    )
    assert seqs == sorted(set(seqs))
    assert seqs[-1] >= count
    assert len(shown) + missed == seqs[-1]
    assert sum(int(gap) for *_, gap in shown) == missed
    assert [age for age, lost in zip(ages, held_up, strict=True) if age > 2 * TRANSFER + lost] == []
    assert max(late) < JOB_WITHIN
    # In buffers on the way; were the chunks' time not counted, it would be a whole transfer and more.
    assert statistics.median(untold) < TRANSFER
