"""What a hundred nodes of one machine cost: to meet, at rest, in memory; and what a start takes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from statistics import median
from time import monotonic as clock
from typing import Final

from tests.bench.meeting import place
from tests.network.children import python
from tests.network.members import Member, member

PROCESSES: Final = 10
NODES: Final = 10
#: After the meeting, until all is quiet; and for which rest is measured.
SETTLE: Final = 12.0
REST: Final = 20.0
LIMIT: Final = 300.0
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
QUEUED: Final = Path(__file__).parent / "queued.py"
FIRST: Final = "import meshmq\nwith meshmq.Node() as n:\n n.push('jobs', 1)\n n.pull('jobs').receive(9).ack()"
STARTS: Final = {"import zmq, msgpack": "import zmq, msgpack", "import meshmq": "import meshmq", "first message": FIRST}


def measure(rounds: int) -> None:
    """Print all of it."""
    print("\nScale: nodes of one machine, ten in a process.")
    crowd(PROCESSES, NODES)
    with place() as (_, env):
        for kind, what in (("unsent", "a million unsent"), ("untaken", "a million not taken")):
            told = subprocess.run(
                python(QUEUED, kind), env={**os.environ, **env}, check=True, capture_output=True, text=True
            )
            print(f"{what:<26} {float(told.stdout):8.0f} MB   (36 bytes each, packed; of 100,000)")
        plain = 0.0
        for what, code in STARTS.items():
            took = median(started(code, env) for _ in range(max(3, rounds)))
            plain = plain or took
            print(f"{what:<26} {took * 1000:8.0f} ms   of processor time, {took / plain:.1f} x")


def crowd(processes: int, nodes: int) -> None:
    """Have nodes meet, and rest."""
    count = processes * nodes
    with place() as (start, env):
        began = clock()
        members = [member(start, *(f"n{one}-{each}" for each in range(nodes)), env=env) for one in range(processes)]
        members[0].ready(LIMIT)
        alone = memory(members[0])
        full = max(one.met(count - 1, timeout=LIMIT) for one in members)
        used = sum(one.cpu() for one in members)
        pairs = count * (count - 1) / 2
        print(f"{f'{count} nodes meet':<26} {full - began:8.1f} s    {used / pairs * 1000:.2f} ms of processor a pair")
        if sys.platform == "linux":
            each = (memory(members[0]) - alone) / nodes / (count - 1)
            print(f"{'memory of a peer':<26} {each / 1000:8.0f} kB")
        threading.Event().wait(SETTLE)
        used, wakes = sum(one.cpu() for one in members), sum(map(woken, members))
        threading.Event().wait(REST)
        used, wakes = sum(one.cpu() for one in members) - used, sum(map(woken, members)) - wakes
        print(f"{'a node at rest':<26} {used / REST / count * 100:8.2f} %    of a core")
        print(f"{'its threads wake':<26} {wakes / REST / count:8.1f} /s   with libzmq's")


def memory(one: Member) -> int:
    """Return the bytes of memory of a process, 0 where that is not told."""
    try:
        return int(Path(f"/proc/{one.child.pid}/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def woken(one: Member) -> int:
    """Return how often the threads of a process have gone to sleep."""
    states = [state.read_text() for state in Path(f"/proc/{one.child.pid}/task").glob("*/status")]
    return sum(int(state.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for state in states)


def started(code: str, env: dict[str, str]) -> float:
    """Return the seconds of processor time that a program takes, with compiled modules at hand."""
    cached = {"PYTHONPYCACHEPREFIX": env["MESHMQ_RUNTIME_DIR"] + "/pyc", "PYTHONDONTWRITEBYTECODE": ""}
    before = _children()
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **env, **cached}, check=True)
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
