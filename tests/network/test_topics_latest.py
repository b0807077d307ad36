"""Over a slow line the latest is never old, and what is small does not wait for what is large."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Final

from tests.network.children import LIMIT
from tests.network.conftest import Spawn
from tests.network.detour import DetouredNode
from tests.scale import scale

RATE: Final = 4_000_000.0
SIZE: Final = 1_000_000
TRANSFER: Final = SIZE / RATE
FRAMES: Final = 30
SECONDS: Final = scale(3, 15)
JOB_WITHIN: Final = 1.0
#: Threads that take turns from ``publish`` to what is shown: keeper, ZeroMQ's, proxy, ZeroMQ's, keeper, application.
STEPS: Final = 6

WATCHER: Final = """
import os, threading, time, meshmq

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
        age = time.monotonic() - float(message.headers["at"])
        tell("shown", message.seq, age, message.age, message.gap)
        if message.headers["last"]:
            break
    tell("missed", latest.missed)
"""


def test_latest_over_a_slow_line_is_young_and_a_small_job_passes_it(spawn: Spawn, mesh_name: str) -> None:
    watcher = spawn(WATCHER, env={"MESHMQ_MESH": mesh_name})
    late, pause, worst_pause = [], threading.Event(), 0.0
    with DetouredNode("camera", mesh=mesh_name, rate=RATE) as node:
        node.wait_for(pull="jobs", timeout=LIMIT)
        node.wait_for(subscribe="picture", timeout=LIMIT)
        watcher.until("ready")
        picture, count = bytes(SIZE), FRAMES * SECONDS
        begun = time.monotonic()
        for number in range(1, count + 1):
            before, wanted = time.monotonic(), max(0.0, begun + number / FRAMES - time.monotonic())
            pause.wait(wanted)
            worst_pause = max(worst_pause, time.monotonic() - before - wanted)
            if number % FRAMES == FRAMES // 2:
                pushed = time.monotonic()
                node.push("jobs", number)
                node.flush(LIMIT)
                late.append(time.monotonic() - pushed)
            headers = {"at": str(time.monotonic()), "last": "yes" if number == count else ""}
            node.publish("picture", picture, headers=headers)
        lines = watcher.until("missed", LIMIT)
        assert watcher.wait() == 0, watcher.stderr
    shown = [line.split()[1:] for line in lines if line.startswith("shown")]
    ages = [float(age) for _, age, _, _ in shown]
    untold = [float(age) - float(told) for _, age, told, _ in shown]
    seqs = [int(seq) for seq, *_ in shown]
    missed = int(lines[-1].split()[1])
    print(
        f"{len(shown)} of {count} shown, age {statistics.median(ages):.3f} s, at most {max(ages):.3f}; "
        f"job done within {max(late):.3f} s; pauses of this machine {worst_pause:.3f}; "
        f"told ages are short by {statistics.median(untold):.3f}, at most {max(untold):.3f}"
    )
    assert seqs == sorted(set(seqs))
    assert seqs[-1] == count
    assert len(shown) + missed == count
    assert sum(int(gap) for *_, gap in shown) == missed
    # Who is kept waiting so long here is kept so at every step of the way.
    slack = 0.1 + STEPS * worst_pause
    assert max(ages) < 2 * TRANSFER + slack
    assert max(late) < JOB_WITHIN + slack
